// Guards Allow against clicks meant for another window (AS-153): it stays inert until the page has been visible
// and focused for 700 ms without a break and has since seen a pointer move, a touch or a key. It is drawn inert during
// the 700 ms only: people move, touch or press a key on their way to it. Without scripts the tick has to be set by
// hand; where the page allows it, this file hides the tick and sets it when Allow wakes up.
{
  const QUIET = 700;
  const form = document.querySelector('form[data-step="consent"]');
  const allow = form.querySelector('button[name="decision"][value="allow"]');
  const tick = form.querySelector('input[name="confirm"]');
  const automatic = form.querySelector('[data-auto-confirm]');
  let timer;
  let settled = false;
  let awake = false;

  const sleep = () => {
    clearTimeout(timer);
    settled = false;
    awake = false;
    allow.setAttribute('aria-disabled', 'true');
    if (automatic?.hidden) tick.checked = false;
  };
  const restart = () => {
    sleep();
    if (document.visibilityState === 'visible' && document.hasFocus()) {
      timer = setTimeout(() => {
        settled = true;
        allow.removeAttribute('aria-disabled');
      }, QUIET);
    }
  };
  const wake = (event) => {
    if (awake || !settled || !event.isTrusted) return;
    if (document.visibilityState !== 'visible' || !document.hasFocus()) return;
    // A window that appears under a resting pointer is told about it, too; that is no move.
    if (event.type === 'pointermove' && event.movementX === 0 && event.movementY === 0) return;
    if (event.repeat) return;
    awake = true;
    if (automatic?.hidden) tick.checked = true;
  };

  if (automatic) automatic.hidden = true;
  restart();
  for (const type of ['focus', 'blur', 'pageshow']) window.addEventListener(type, restart);
  document.addEventListener('visibilitychange', restart);
  for (const type of ['pointermove', 'touchstart', 'keydown', 'change']) {
    document.addEventListener(type, wake, { capture: true, passive: true });
  }
  const refuse = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    // Some screen readers press buttons without any pointer or key: the tick is their way.
    if (automatic && settled) automatic.hidden = false;
  };
  allow.addEventListener('click', (event) => {
    if (!awake) refuse(event);
  });
  form.addEventListener(
    'submit',
    (event) => {
      if (!awake && event.submitter?.value !== 'deny') refuse(event);
    },
    { capture: true },
  );
  // Enter in a tick box would press the first button, which is Cancel on some pages.
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target instanceof HTMLInputElement) event.preventDefault();
  });
}
