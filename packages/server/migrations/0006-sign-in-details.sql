-- What the sign-in pages remember between two requests of the same browser.

-- What the person is told when the page is read again: the outcome of the last try (wrong, older, budget), or that a new code
-- must wait. It says nothing that the try itself did not say.
alter table sign_in_codes add column last_outcome text;
-- With last_outcome 'wait': when a new code may be asked for.
alter table sign_in_codes add column wait_until timestamptz;
-- As typed, for the mail and for the person this code may make; email_key is what is compared.
alter table sign_in_codes add column email text not null default '';
-- Given on the sign-up page; used only if this code makes a new person.
alter table sign_in_codes add column display_name text not null default '';

-- A subject begins with the sign-in code, so it is encrypted like the bodies.
alter table mails alter column subject type bytea using convert_to(subject, 'UTF8');
