/** Mail services that many people use and some mistype. Short names are left out: too much is one letter away from them. */
const COMMON = [
  'gmail.com',
  'googlemail.com',
  'hotmail.com',
  'icloud.com',
  'outlook.com',
  'protonmail.com',
  'yahoo.com',
];

/** Services of their own that look like a slip. */
const REAL = ['mail.com', 'ymail.com'];

/** The address that was probably meant: its domain is one slip of the finger away from a common one. */
export function suggestEmail(email: string): string | undefined {
  const at = email.lastIndexOf('@');
  const domain = email.slice(at + 1).toLowerCase();
  if (COMMON.includes(domain) || REAL.includes(domain)) return undefined;
  const meant = COMMON.find((common) => isOneSlip(domain, common));
  return meant && `${email.slice(0, at)}@${meant}`;
}

/** One letter wrong, missing or too many, or two neighbours swapped. */
function isOneSlip(typed: string, meant: string): boolean {
  const difference = typed.length - meant.length;
  if (Math.abs(difference) > 1) return false;
  let start = 0;
  while (start < typed.length && typed[start] === meant[start]) start += 1;
  const rest = typed.slice(start);
  const wanted = meant.slice(start);
  if (difference === 1) return rest.slice(1) === wanted;
  if (difference === -1) return rest === wanted.slice(1);
  const swapped = `${rest[1] ?? ''}${rest[0] ?? ''}${rest.slice(2)}`;
  return rest.slice(1) === wanted.slice(1) || swapped === wanted;
}
