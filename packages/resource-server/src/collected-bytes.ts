export type CollectedBytes = {
  add(chunk: Uint8Array): void;
  /** Everything so far, as one piece. */
  whole(): Uint8Array;
};

/**
 * Puts the pieces of a body together. Pieces are copied into one buffer that doubles, for a piece that is kept
 * costs some 200 bytes beside its content: a sender of pieces of one byte would choose how much memory is taken.
 */
export function collectBytes(): CollectedBytes {
  let bytes: Uint8Array = new Uint8Array();
  let size = 0;
  return {
    add(chunk) {
      const needed = size + chunk.byteLength;
      if (size === 0) {
        bytes = chunk; // mostly there is only one, which is not copied
      } else {
        if (needed > bytes.byteLength) {
          const larger = new Uint8Array(needed * 2);
          larger.set(bytes.subarray(0, size));
          bytes = larger;
        }
        bytes.set(chunk, size);
      }
      size = needed;
    },
    whole: () => bytes.subarray(0, size),
  };
}
