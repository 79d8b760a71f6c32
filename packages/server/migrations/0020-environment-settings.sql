-- Environments that are changed over the management API.

alter table environments add column updated_at timestamptz;  -- of the last change over the management API

-- How long an invitation can be accepted is said in minutes.
update environments
   set settings = (settings - 'invitationDays') || jsonb_build_object('invitationMinutes', (settings ->> 'invitationDays')::integer * 1440)
 where settings ? 'invitationDays';
