//! Puts mails into the transaction that causes them.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Mail, NAME_MOST, SUBJECT_MOST, one_line};
use crate::problem::Result;
use crate::schema::outbox;
use crate::tenancy::TenantTx;

/// Bytes of the hash that name a mail.
const NAME_BYTES: usize = 16;
/// Mails written by one statement; bounds its parameters.
const AT_ONCE: usize = 500;

/// Queues one mail; it is committed together with what causes it, and dropped with it.
pub async fn enqueue(tx: &mut TenantTx<'_>, mail: Mail) -> Result<()> {
    enqueue_all(tx, vec![mail])
}

/// Queues many mails.
pub fn enqueue_all(tx: &mut TenantTx<'_>, mails: Vec<Mail>) -> Result<()> {
    let now = tx.now();
    let mut rows: Vec<_> = mails
        .into_iter()
        .map(|mail| {
            (
                outbox::id.eq(Uuid::now_v7()),
                outbox::tenant_id.eq(mail.tenant_id),
                outbox::reminder_id.eq(mail.reminder_id),
                outbox::message_id.eq(message_id(&mail.key)),
                outbox::recipient.eq(mail.to),
                outbox::recipient_name.eq(mail.to_name.map(|name| one_line(&name, NAME_MOST))),
                outbox::subject.eq(one_line(&mail.content.subject, SUBJECT_MOST)),
                outbox::body_text.eq(mail.content.text),
                outbox::body_html.eq(mail.content.html),
                outbox::state.eq("queued"),
                outbox::send_after.eq(now),
                outbox::created_at.eq(now),
            )
        })
        .collect();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(AT_ONCE));
        let insert = diesel::insert_into(outbox::table)
            .values(std::mem::replace(&mut rows, rest))
            .on_conflict(outbox::message_id)
            .do_nothing();
        tx.queue(|db| async move { insert.execute(&mut &*db).await });
    }
    Ok(())
}

/// Left part of the Message-ID: made from the key, so that a second try after a crash is
/// recognisable as the same mail. The sender's domain completes it.
fn message_id(key: &str) -> String {
    digest(&SHA256, key.as_bytes())
        .as_ref()
        .iter()
        .take(NAME_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_names_the_same_mail() {
        assert_eq!(message_id("abc"), "ba7816bf8f01cfea414140de5dae2223");
        assert_ne!(message_id("abc"), message_id("abd"));
    }
}
