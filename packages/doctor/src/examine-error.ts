/** Why an examination cannot begin; what a server does is never thrown. */
export class ExamineError extends Error {
  override name = 'ExamineError';
}
