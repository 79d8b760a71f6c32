import type { RevocationDocument } from './revocation-document.ts';

/** Where in the feed a verifier is. */
export type Position = {
  readonly epoch: string;
  readonly seq: number;
  /** `iat` of the newest document, in seconds since 1970. */
  readonly issuedAt: number;
};

export type SequenceFault =
  /** The sequence went back, or an earlier epoch returned: a replay, or a restored database that says nothing of it. */
  | 'rolled_back'
  /** Entries between the last document and this one are missing. */
  | 'gap'
  /** A new epoch whose document was not made just now. */
  | 'epoch';

export type Step =
  /** Newer than everything before: what it says counts, and it is as fresh as it says. */
  | { readonly kind: 'newer'; readonly position: Position }
  /** Says nothing that was not known, and proves nothing about this moment. */
  | { readonly kind: 'known' }
  | { readonly kind: 'fault'; readonly fault: SequenceFault };

/** How far from now a document may be dated that begins a new epoch, in seconds (RS-58). */
const newEpochWithin = 10;
const epochsRemembered = 16;

export type Sequence = {
  position(): Position | undefined;
  /**
   * Takes a document whose signature was checked. `asked` is the position when it was asked for: an answer
   * that was overtaken by a newer one is not taken for a replay.
   */
  take(document: RevocationDocument, asked: Position | undefined, nowSeconds: number): Step;
  /** The clock was set back: dates seen before say nothing any more. The sequence goes on. */
  forgetDates(): void;
};

/** Checks that (`epoch`, `seq`) never goes back (RS-58). */
export function sequence(): Sequence {
  let newest: Position | undefined;
  const formerEpochs: string[] = [];
  const fault = (name: SequenceFault): Step => ({ kind: 'fault', fault: name });

  function judge(
    { epoch, seq, since, issuedAt }: RevocationDocument,
    asked: Position | undefined,
    nowSeconds: number,
  ): Step {
    const next: Step = { kind: 'newer', position: { epoch, seq, issuedAt } };
    if (!newest) return since === 0 ? next : fault('gap');
    if (epoch !== newest.epoch) {
      if (formerEpochs.includes(epoch))
        return asked?.epoch === epoch ? { kind: 'known' } : fault('rolled_back');
      if (!(Math.abs(nowSeconds - issuedAt) <= newEpochWithin)) return fault('epoch');
      return since === 0 ? next : fault('gap');
    }
    if (seq < newest.seq) {
      const overtaken = asked === undefined || asked.epoch !== epoch || seq >= asked.seq;
      return overtaken && asked !== newest ? { kind: 'known' } : fault('rolled_back');
    }
    if (since > newest.seq) return fault('gap');
    return seq === newest.seq && issuedAt <= newest.issuedAt ? { kind: 'known' } : next;
  }

  return {
    position: () => newest,
    take(document, asked, nowSeconds) {
      const step = judge(document, asked, nowSeconds);
      if (step.kind !== 'newer') return step;
      if (newest && newest.epoch !== step.position.epoch) {
        formerEpochs.push(newest.epoch);
        if (formerEpochs.length > epochsRemembered) formerEpochs.shift();
      }
      newest = step.position;
      return step;
    },
    forgetDates() {
      if (newest) newest = { ...newest, issuedAt: Number.NEGATIVE_INFINITY };
    },
  };
}
