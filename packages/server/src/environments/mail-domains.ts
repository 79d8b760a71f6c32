// Mail domains that belong to nobody's company. A list like these is never complete: what is missing here can be claimed by
// whoever comes first, and a claim by way of DNS proves the name all the same.

/** Mail services where anybody gets an address. */
export const PUBLIC_MAIL_DOMAINS: ReadonlySet<string> = namesOf(`
  126.com 139.com 163.com 188.com 189.cn 21cn.com abv.bg addy.io aim.com aleeas.com alice.it aliyun.com
  ameritech.net anonaddy.com anonaddy.me aol.co.uk aol.com aol.de aol.es aol.fr aol.it aon.at arcor.de asia.com
  atlas.cz att.net au.com autorambler.ru azet.sk bbox.fr bell.net bellsouth.net bezeqint.net bigfoot.com
  biglobe.ne.jp bigmir.net bigpond.com bigpond.net.au bk.ru blu.it bluewin.ch blueyonder.co.uk bol.com.br
  btinternet.com caramail.com care2.com casema.nl centrum.cz centrum.sk centurylink.net charter.net chello.at
  chello.nl citromail.hu clix.pt club-internet.fr comcast.net consultant.com countermail.com cox.net ctemplar.com
  daum.net delfi.lt dion.ne.jp dir.bg disroot.org docomo.ne.jp dodo.com.au dr.com duck.com earthlink.net
  eastlink.ca email.com email.cz email.it embarqmail.com engineer.com europe.com excite.co.jp excite.com
  ezweb.ne.jp fastmail.com fastmail.fm fastmail.net fastwebnet.it foxmail.com free.fr freemail.hu freenet.de
  freeserve.co.uk frontier.com frontiernet.net fsmail.net gawab.com gazeta.pl globo.com globomail.com gmail.com
  gmx.at gmx.ch gmx.co.uk gmx.com gmx.de gmx.es gmx.fr gmx.net gmx.us goo.jp googlemail.com hanmail.net hetnet.nl
  hey.com hinet.net hispeed.ch home.nl hot.ee hotmail.be hotmail.ca hotmail.ch hotmail.cl hotmail.co.jp
  hotmail.co.th hotmail.co.uk hotmail.co.za hotmail.com hotmail.com.ar hotmail.com.au hotmail.com.br
  hotmail.com.tr hotmail.cz hotmail.de hotmail.dk hotmail.es hotmail.fi hotmail.fr hotmail.gr hotmail.hu
  hotmail.it hotmail.nl hotmail.no hotmail.se hush.com hushmail.com hushmail.me i.softbank.jp i.ua icloud.com
  ig.com.br iinet.net.au inbox.com inbox.lt inbox.lv inbox.ru indamail.hu indiatimes.com infoseek.jp interia.eu
  interia.pl internet.ru inwind.it iol.it juno.com kakao.com keemail.me kimo.com kolabnow.com korea.com kpnmail.nl
  laposte.net lavabit.com lenta.ru libero.it lineone.net list.ru live.be live.ca live.cl live.cn live.co.uk
  live.co.za live.com live.com.ar live.com.au live.com.mx live.com.pt live.com.sg live.de live.dk live.fr live.hk
  live.ie live.in live.it live.jp live.nl live.no live.ru live.se livemail.tw lycos.co.uk lycos.com mac.com
  mail.bg mail.com mail.ee mail.gr mail.ru mail.telepac.pt mail2world.com mailbox.org mailfence.com maktoob.com
  me.com meta.ua mindspring.com mozmail.com msn.com mweb.co.za mynet.com myrambler.ru myway.com myyahoo.com
  nate.com naver.com netcabo.pt netscape.net netvision.net.il netzero.net neuf.fr nifty.com ntlworld.com
  numericable.fr o2.co.uk o2.pl ocn.ne.jp oi.com.br one.lt onet.eu onet.pl online.de op.pl optimum.net
  optonline.net optusnet.com.au orange.fr otenet.gr outlook.at outlook.be outlook.cl outlook.co.id outlook.co.th
  outlook.com outlook.com.ar outlook.com.au outlook.com.br outlook.com.gr outlook.com.tr outlook.com.vn outlook.cz
  outlook.de outlook.dk outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr
  outlook.lv outlook.my outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk ozemail.com.au pacbell.net
  pacific.net.sg passport.com pchome.com.tw plala.or.jp planet.nl pm.me poczta.fm poczta.onet.pl post.com post.cz
  posteo.de posteo.net privaterelay.appleid.com prodigy.net proton.me protonmail.ch protonmail.com proximus.be
  q.com qq.com r7.com rambler.ru rediffmail.com relay.firefox.com riseup.net ro.ru roadrunner.com rocketmail.com
  rogers.com rr.com runbox.com sapo.pt sbcglobal.net seed.net.tw seznam.cz sfr.fr shaw.ca sify.com simplelogin.co
  simplelogin.com sina.cn sina.com sina.com.cn singnet.com.sg skynet.be slingshot.co.nz slmail.me so-net.ne.jp
  so-net.net.tw softbank.ne.jp sohu.com soverin.net starhub.net.sg startmail.com streamyx.com suddenlink.net
  sunrise.ch superonline.com swbell.net swissonline.ch sympatico.ca t-online.de talktalk.net telefonica.net
  telenet.be telkomsa.net telus.net terra.com terra.com.br terra.es tim.it tin.it tiscali.co.uk tiscali.it tlen.pl
  tm.net.my tom.com tpg.com.au ttmail.com tuta.com tuta.io tutamail.com tutanota.com tutanota.de ukr.net
  uol.com.br upcmail.nl usa.com verizon.net videotron.ca vip.163.com vip.qq.com virgilio.it virginmedia.com
  vodamail.co.za volny.cz vp.pl walla.co.il walla.com wanadoo.fr web.de webmail.co.za westnet.com.au
  windowslive.com windstream.net wo.cn wp.pl xs4all.nl xtra.co.nz ya.ru yahoo.at yahoo.be yahoo.ca yahoo.ch
  yahoo.co.id yahoo.co.in yahoo.co.jp yahoo.co.kr yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com
  yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.cn yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.ph
  yahoo.com.sg yahoo.com.tr yahoo.com.tw yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.es yahoo.fi yahoo.fr
  yahoo.gr yahoo.hu yahoo.ie yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro yahoo.se yandex.by
  yandex.com yandex.kz yandex.ru yandex.ua yeah.net ymail.com ziggo.nl zipmail.com.br zoho.com zoho.eu zoho.in
  zohomail.com zohomail.eu zohomail.in zoznam.sk`);

/** Mail services whose addresses are thrown away. */
export const DISPOSABLE_MAIL_DOMAINS: ReadonlySet<string> = namesOf(`
  027168.com 10mail.org 10minut.com.pl 10minutemail.co.uk 10minutemail.com 10minutemail.de 10minutemail.net
  10minutemail.org 10minutesmail.com 1secmail.com 1secmail.net 1secmail.org 20mail.it 20minutemail.com
  20minutemail.it 30minutemail.com 33mail.com abyssmail.com amail.club anonbox.net anonymbox.com antichef.com
  antichef.net antispam24.de armyspy.com banit.club baxomale.ht.cx bccto.me beefmilk.com bigprofessor.so
  binkmail.com bio-muesli.net bobmail.info bofthew.com bootybay.de boun.cr bouncr.com boximail.com breakthru.com
  brefmail.com bsnow.net bspamfree.org bugmenot.com bumpymail.com burnermail.io burnthespam.info
  buyusedlibrarybooks.org cars2.club casualdx.com centermail.com centermail.net chacuo.net chammy.info
  cheatmail.de chogmail.com clixser.com clrmail.com cmail.club cool.fr.nf cosmorph.com courriel.fr.nf
  courrieltemporaire.com crankhole.com crazymailing.com cubiclink.com curryworld.de cust.in cuvox.de dacoolest.com
  dandikmail.com dayrep.com deadaddress.com deadspam.com despam.it despammed.com devnullmail.com dfgh.net
  digitalsanctuary.com discard.email discardmail.com discardmail.de disposable.com disposableaddress.com
  disposableemailaddresses.com disposableinbox.com dispose.it disposeamail.com disposemail.com dispostable.com
  dodgeit.com dodgit.com dodgit.org dontreg.com dontsendmespam.de dotmsg.com dpptd.com dropjar.com dropmail.me
  duck2.club dump-email.info dumpandjunk.com dumpmail.de dumpyemail.com e4ward.com easytrashmail.com einmalmail.de
  einrot.com email-fake.com emailage.cf emailfake.com emailias.com emailigo.de emaillime.com emailna.co
  emailondeck.com emailsensei.com emailtech.info emailtemporar.ro emailtemporario.com.br emailthe.net emailtmp.com
  emailto.de emailwarden.com emkei.cz emlhub.com emlpro.com emltmp.com enterto.com ephemail.net esiix.com
  etranquil.com evopo.com explodemail.com eyepaste.com ezztt.com fakeinbox.cf fakeinbox.com fakeinbox.ml
  fakeinformation.com fakemail.fr fakemail.net fakemailgenerator.com fakemailz.com fakermail.com fastacura.com
  filzmail.com fizmail.com fleckens.hu freundin.ru front14.org fudgerub.com fux0ringduh.com garliclife.com
  gehensiemirnichtaufdensack.de generator.email get1mail.com get2mail.fr getairmail.com getnada.com getonemail.com
  getonemail.net ghosttexter.de girlsundertheinfluence.com gishpuppy.com givmail.com gowikibooks.com great-host.in
  greensloth.com grr.la gsrv.co.uk guerrillamail.biz guerrillamail.com guerrillamail.de guerrillamail.info
  guerrillamail.net guerrillamail.org guerrillamailblock.com gustr.com haltospam.com harakirimail.com hatespam.org
  hidemail.de hidzz.com hmamail.com hochsitze.com hotpop.com hulapla.de icznn.com ieatspam.eu ieatspam.info
  ihateyoualot.info iheartspam.org imails.info imgof.com imstations.com inboxalias.com inboxbear.com
  inboxclean.com inboxclean.org inboxdesign.me inboxkitten.com inboxproxy.com incognitomail.com incognitomail.net
  incognitomail.org insorg-mail.info instant-mail.de instantemailaddress.com ipoo.org irish2me.com iwi.net
  jetable.com jetable.fr.nf jetable.net jetable.org jetable.pp.ua jnxjn.com jourrapide.com junk1e.com kasmail.com
  kaspop.com killmail.com killmail.net klassmaster.com klzlk.com koszmail.pl kulturbetrieb.info kurzepost.de
  kzccv.com laafd.com letthemeatspam.com lhsdv.com lifebyfood.com link2mail.net linshi-email.com
  linshiyouxiang.net litedrop.com lol.ovpn.to lookugly.com lopl.co.cc lortemail.dk lovemeleaveme.com lr78.com
  luxusmail.org maboard.com mail-temp.com mail-temporaire.fr mail.tm mailbidon.com mailblocks.com mailbucket.org
  mailcatch.com maildrop.cc maildrop.cf maildrop.ga maileater.com mailexpire.com mailforspam.com
  mailfreeonline.com mailguard.me mailimate.com mailin8r.com mailinater.com mailinator.com mailinator.net
  mailinator.org mailinator.us mailinator2.com mailme.lv mailme24.com mailmetrash.com mailmoat.com mailnesia.com
  mailnull.com mailpick.biz mailpoof.com mailquack.com mailrock.biz mailsac.com mailscrap.com mailseal.de
  mailshell.com mailsiphon.com mailslapping.com mailslite.com mailtemp.info mailtemporaire.com mailtemporaire.fr
  mailto.plus mailzilla.com mailzilla.org makemetheking.com manybrain.com mbx.cc mega.zik.dj meinspamschutz.de
  meltmail.com messagebeamer.de mezimages.net mierdamail.com migmail.net ministry-of-silly-walks.de mintemail.com
  minuteinbox.com minutemail.com misterpinball.de moakt.cc moakt.com moakt.ws mohmal.com mohmal.im mohmal.in
  mohmal.tech moncourrier.fr.nf monemail.fr.nf monmail.fr.nf monumentmail.com mox.pp.ua mt2009.com mt2014.com
  mt2015.com my10minutemail.com mycleaninbox.net myspaceinc.com myspamless.com mytemp.email mytempemail.com
  mytempmail.com mytrashmail.com nada.email nada.ltd nada.pro nepwk.com nervmich.net nervtmich.net netmails.com
  netmails.net netzidiot.de neverbox.com nincsmail.hu nnh.com no-spam.ws nobulk.com noclickemail.com
  nogmailspam.info nomail.xl.cx nomail2me.com nospam.ze.tc nospam4.us nospamfor.us nospammail.net
  notmailinator.com notsharingmy.info nowmymail.com nurfuerspam.de nwldx.com objectmail.com obobbo.com
  odaymail.com oneoffemail.com onewaymail.com oopi.org ordinaryamerican.net otherinbox.com ovpn.to owlpic.com
  pjjkp.com plexolan.de pokemail.net politikerclub.de poofy.org pookmail.com privacy.net privatdemail.net
  proxymail.eu prtnx.com punkass.com putthisinyourspamdatabase.com qiott.com quickinbox.com rcpt.at
  reallymymail.com recode.me reconmail.com recursor.net regbypass.com rejectmail.com rhyta.com rklips.com
  rmqkr.net robot-mail.com rppkn.com rteet.com rtrtr.com s0ny.net safe-mail.net safersignup.de safetymail.info
  safetypost.de sandelf.de saynotospams.com schafmail.de selfdestructingmail.com sendspamhere.com
  sharedmailbox.org sharklasers.com shieldemail.com shiftmail.com shitmail.me shortmail.net sibmail.com
  skeefmail.com slaskpost.se slopsbox.com slushmail.com smashmail.de smellfear.com snakemail.com sneakemail.com
  sneakmail.de snkmail.com sofimail.com sofort-mail.de sofortmail.de sogetthis.com soodonims.com spam4.me
  spamavert.com spambob.com spambob.net spambob.org spambog.com spambog.de spambog.ru spambox.info
  spambox.irishspringrealty.com spambox.us spamcero.com spamcon.org spamcorptastic.com spamcowboy.com spamday.com
  spamdecoy.net spamex.com spamfree24.com spamfree24.de spamfree24.eu spamfree24.net spamfree24.org spamgoes.in
  spamgourmet.com spamgourmet.net spamgourmet.org spamherelots.com spamhereplease.com spamhole.com spamify.com
  spaml.com spaml.de spammotel.com spamobox.com spamoff.de spamslicer.com spamspot.com spamstack.net
  spamthisplease.com spamtrail.com spamtroll.net speed.1s.fr spikio.com spoofmail.de squizzy.de streetwisemail.com
  stuffmail.de supergreatmail.com supermailer.jp superrito.com superstachel.de suremail.info tafmail.com
  tagyourself.com teewars.org teleosaurs.xyz teleworm.us temp-mail.com temp-mail.de temp-mail.io temp-mail.org
  temp-mail.ru tempemail.co.za tempemail.com tempemail.net tempinbox.co.uk tempinbox.com tempmail.com tempmail.de
  tempmail.dev tempmail.eu tempmail.io tempmail.it tempmail.net tempmail.ninja tempmail.plus tempmail.us
  tempmailaddress.com tempmailer.com tempmailer.de tempmailo.com tempomail.fr temporamail.com temporaryemail.net
  temporaryemail.us temporaryinbox.com temporarymail.org temporarymailaddress.com tempr.email thankyou2010.com
  the-first.email thelimestones.com thisisnotmyrealemail.com thrma.com throwam.com throwawayemailaddress.com
  throwawaymail.com tilien.com tittbit.in tizi.com tmail.ws tmailinator.com tmails.net tmpmail.net tmpmail.org
  topranklist.de tradermail.info trash-mail.at trash-mail.com trash-mail.de trash2009.com trashdevil.com
  trashdevil.de trashinbox.com trashmail.at trashmail.com trashmail.de trashmail.io trashmail.me trashmail.net
  trashmail.org trashmail.ws trashymail.com trashymail.net trbvm.com trialmail.de trillianpro.com turual.com
  twinmail.de txcct.com tyldd.com uggsrock.com umail.net upliftnow.com uplipht.com vddaz.com venompen.com
  veryrealemail.com viditag.com viewcastmedia.com viralplays.com vjuum.com vomoto.com vpn.st vsimcard.com
  vubby.com wasteland.rfc822.org webemail.me webm4il.info wegwerf-email.de wegwerf-email.net wegwerf-emails.de
  wegwerfadresse.de wegwerfemail.com wegwerfemail.de wegwerfemailadresse.com wegwerfmail.de wegwerfmail.net
  wegwerfmail.org wh4f.org whyspam.me willhackforfood.biz willselfdestruct.com winemaven.info wronghead.com
  wuzup.net wuzupmail.net wwjmp.com wwwnew.eu xagloo.com xemaps.com xents.com xmaily.com xojxe.com xoxy.net
  yapped.net yep.it yogamaven.com yoggm.com yopmail.com yopmail.fr yopmail.net yuurok.com zehnminuten.de
  zehnminutenmail.de zetmail.com zippymail.info zoemail.net zoemail.org zomg.info`);

function namesOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
