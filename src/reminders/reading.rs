//! Who may read a record, and so be told its title.

use uuid::Uuid;

use super::open::Open;
use crate::records::is_seen_by;
use crate::tenancy::Roles;

/// Whether somebody who holds these roles may read the record of a deadline.
pub(super) fn may_read(open: &Open, person: Uuid, roles: Roles) -> bool {
    let (owner, audience, named_roles, named_people) = &open.audience;
    let named = (named_roles.as_slice(), named_people.as_slice());
    is_seen_by(&open.record.0, *owner, audience, named, (person, roles))
}
