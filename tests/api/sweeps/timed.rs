//! What time does, it does the day after the deadline in the zone of the client, and not before.

use aims::app::kinds;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::walk::{Cast, Walk};
use crate::contract::stage::{rehearsal_of, set_clock};
use crate::support::Setup;

/// Zones in which it is another day than in UTC for half of each day.
const ZONES: [Tz; 2] = [Tz::Pacific__Auckland, Tz::America__Los_Angeles];

/// A record that waits for its day.
struct Waiting<'a> {
    what: String,
    cast: &'a Cast<'a>,
    id: String,
    from: &'static str,
    to: &'static str,
    /// When the day after the deadline begins.
    over: DateTime<Utc>,
}

impl Waiting<'_> {
    async fn stands_in(&self, status: &str) -> bool {
        let is_it = format!("id = '{}' AND status = '{status}'", self.id);
        self.cast.stage.app.count(self.cast.stage.client.id, "records", &is_it).await == 1
    }

    /// One event, of the system, with its cause.
    async fn is_told_once(&self) -> bool {
        let event = format!(
            "subject_id = '{}' AND action = 'moved' AND actor_id IS NULL \
             AND data::jsonb ->> 'to' = '{}' AND data::jsonb -> 'cause' ->> 'because' IS NOT NULL",
            self.id, self.to
        );
        self.cast.stage.app.count(self.cast.stage.client.id, "events", &event).await == 1
    }
}

/// Records of every kind that stand before a move of time.
async fn waiting<'a>(cast: &'a Cast<'a>, zone: Tz) -> Vec<Waiting<'a>> {
    let mut found = Vec::new();
    for entry in kinds().entries() {
        let walk = Walk { cast, entry };
        for known in &entry.moves {
            let Some(deadline) = known.flags.after else { continue };
            let at = walk.before(known, None).await;
            let what = format!("{} in {zone}", walk.what(known));
            let due = cast.stage.author.api.get(&format!("{at}/deadlines"), 200).await;
            let due = due["items"].as_array().unwrap().iter().find(|due| due["name"] == deadline);
            let due = due.unwrap_or_else(|| panic!("{what}: there is no deadline {deadline}"));
            let due: NaiveDate = due["due_on"].as_str().unwrap().parse().unwrap();
            let over = (due + Days::new(1)).and_time(NaiveTime::MIN);
            let over = zone.from_local_datetime(&over).earliest().unwrap().to_utc();
            let id = at.rsplit('/').next().unwrap().to_owned();
            found.push(Waiting { what, cast, id, from: known.from, to: known.to, over });
        }
    }
    found
}

#[actix_web::test]
async fn moves_of_time_happen_on_the_day_after_in_the_clients_zone_and_not_before() {
    let app = rehearsal_of(Setup::named("timed")).await;
    let mut casts = Vec::new();
    for zone in ZONES {
        casts.push((zone, Cast::of(&app, zone.name()).await));
    }
    let mut all = Vec::new();
    for (zone, cast) in &casts {
        all.extend(waiting(cast, *zone).await);
    }
    assert!(!all.is_empty());
    let mut instants: Vec<_> = all
        .iter()
        .flat_map(|one| [one.over - TimeDelta::seconds(90), one.over + TimeDelta::seconds(1)])
        .collect();
    instants.sort();
    instants.dedup();

    for now in instants {
        set_clock(&app, &now.to_rfc3339()).await;
        for one in &all {
            if now < one.over {
                assert!(one.stands_in(one.from).await, "{}: not yet at {now}", one.what);
            } else if now == one.over + TimeDelta::seconds(1) {
                assert!(one.stands_in(one.to).await, "{}: not at {now}", one.what);
                assert!(one.is_told_once().await, "{}: its event", one.what);
            }
        }
    }
}
