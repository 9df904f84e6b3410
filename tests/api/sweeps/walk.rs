//! Walking records through the lifecycle that their kind declares.

use std::collections::{HashSet, VecDeque};

use aims::records::{Entry, Move};
use aims::tenancy::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::told;
use crate::contract::stage::{DAY_OF_THE_EXAMPLES, Stage, set_clock};
use crate::kinds::preparations::{self, GUARDS, Guard};
use crate::support::{Answer, App, Person};

/// A client with somebody for each role, and an author who holds all that its own people can.
pub struct Cast<'a> {
    pub stage: Stage<'a>,
    pub people: Vec<(Role, Person)>,
}

/// Roles of the author: all that can approve, so that nothing but GEN-1 keeps them from it.
const ALL_OWN: &[&str] = crate::isolation::holdings::OWN_ROLES;

impl<'a> Cast<'a> {
    /// The cast on a server, in a time zone.
    pub async fn of(app: &'a App, zone: &str) -> Cast<'a> {
        // What the server could not do says why, when a test fails.
        let logs = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR);
        let _ = logs.with_test_writer().try_init();
        let stage = Stage::set_in(app, zone, ALL_OWN).await;
        let mut people = Vec::new();
        for role in Role::ALL {
            people.push((*role, stage.holder(*role).await));
        }
        Cast { stage, people }
    }

    /// The holder of a role and of no other.
    pub fn holder(&self, role: Role) -> &Person {
        let found = self.people.iter().find(|(of, _)| *of == role);
        &found.unwrap().1
    }
}

/// The lifecycle of one kind, walked by a cast.
pub struct Walk<'c> {
    pub cast: &'c Cast<'c>,
    pub entry: &'static Entry,
}

/// Moves from the start of a lifecycle to a state, as few as can be.
pub fn path_to(entry: &'static Entry, state: &str) -> Vec<&'static Move> {
    let mut waiting = VecDeque::from([(entry.start, Vec::new())]);
    let mut seen = HashSet::from([entry.start]);
    while let Some((at, path)) = waiting.pop_front() {
        if at == state {
            return path;
        }
        let out = entry.moves.iter().filter(|known| known.from == at);
        for known in out.filter(|known| happens(entry, known)) {
            if seen.insert(known.to) {
                waiting.push_back((known.to, [path.clone(), vec![known]].concat()));
            }
        }
    }
    panic!(
        "{}: nobody moves a record to {state}, nor time; add what brings it there to FOLLOWS in \
         tests/api/kinds/preparations.rs",
        entry.info.name
    )
}

/// Whether it is known how a move comes about.
fn happens(entry: &Entry, known: &Move) -> bool {
    let by_itself = known.flags.after.is_some() || preparations::follows(entry.info.name, known).is_some();
    known.is_for_people() || by_itself
}

/// Names of the guards of moves, in the order in which they are met.
pub fn guards_of(entry: &Entry, moves: &[&Move]) -> Vec<&'static str> {
    let of_moves = moves.iter().flat_map(|known| known.guards.iter().map(|(_, name)| *name));
    let wanted: HashSet<_> = of_moves.collect();
    for name in &wanted {
        preparations::guard(entry.info.name, name);
    }
    let known = GUARDS.iter().filter(|(kind, name, _)| *kind == entry.info.name && wanted.contains(name));
    known.map(|(_, name, _)| *name).collect()
}

impl<'c> Walk<'c> {
    pub fn stage(&self) -> &'c Stage<'c> {
        &self.cast.stage
    }

    /// A new record that stands before a move: all guards on the way and of the move itself are
    /// met, save the one that is left out.
    pub async fn before(&self, known: &'static Move, without: Option<&str>) -> String {
        let path = path_to(self.entry, known.from);
        let moves = [path.clone(), vec![known]].concat();
        let guards = guards_of(self.entry, &moves);
        let at = self.along(&path, &guards, without).await;
        self.late(&at, known, without).await;
        at
    }

    /// Meets what can be met only right before a move.
    async fn late(&self, at: &str, known: &Move, without: Option<&str>) {
        for (_, name) in known.guards.iter().filter(|(_, name)| Some(*name) != without) {
            if let Guard::Late(act) = preparations::guard(self.entry.info.name, name) {
                act(self.stage(), at).await;
            }
        }
    }

    /// A new record that was moved along a path, with these guards met.
    async fn along(&self, path: &[&'static Move], guards: &[&str], without: Option<&str>) -> String {
        let stage = self.stage();
        preparations::ground(stage, self.entry).await;
        let made = stage.make(self.entry).await;
        let at = stage.at(self.entry, &made);
        for name in guards.iter().filter(|name| Some(**name) != without) {
            if let Guard::Meet(act) = preparations::guard(self.entry.info.name, name) {
                act(stage, &at).await;
            }
        }
        if let Some(Guard::Break(act)) = without.map(|name| preparations::guard(self.entry.info.name, name)) {
            act(stage, &at).await;
        }
        for known in path {
            self.late(&at, known, None).await;
            self.step(&at, known).await;
        }
        at
    }

    /// Makes a move by somebody who may, or lets its time come. History is judged.
    pub async fn step(&self, at: &str, known: &Move) {
        let what = self.what(known);
        let reader = &self.stage().author.api;
        let before = told::before(reader, at).await;
        let mover = match known.is_for_people() {
            true => Some(self.mover(at, known).await),
            false => None,
        };
        let follows = preparations::follows(self.entry.info.name, known);
        let after = match (mover, known.flags.after, follows) {
            (Some(person), ..) => {
                self.ask(person, at, known.to).await.expect(200);
                before.after(reader, at, &what, "moved", mover).await
            }
            (None, Some(deadline), _) => {
                self.hasten(at, deadline).await;
                before.after(reader, at, &what, "moved", None).await
            }
            (None, None, Some(act)) => {
                act(self.stage(), at).await;
                before.since(reader, at, &what).await
            }
            _ => panic!("{what}: add what it follows from to FOLLOWS in tests/api/kinds/preparations.rs"),
        };
        let event = after.events.iter().find(|event| event["action"] == "moved");
        let event = event.unwrap_or_else(|| panic!("{what}: did not happen"));
        let told = &event["data"];
        assert_eq!([&told["from"], &told["to"]], [known.from, known.to], "{what}: {told}");
        if mover.is_none() {
            told::assert_is_by_itself(&what, event);
        }
        let mut moved = after.events.iter().filter(|event| event["action"] == "moved");
        let last = moved.next_back().unwrap();
        assert_eq!(after.record["status"], last["data"]["to"], "{what}");
        if known.flags.approves {
            assert_eq!(after.record["approved_by"], json!(mover.map(|person| person.id)), "{what}");
        }
    }

    /// Asks for a move.
    pub async fn ask(&self, by: &Person, at: &str, to: &str) -> Answer {
        let body = json!({"to": to, "reason": "It is time."}).to_string();
        let at = format!("{at}/transitions");
        by.api.send(Method::POST, &at, &[("If-Match", "*")], Some(body)).await
    }

    /// What somebody is told about a move that they could make; nothing where they do not see it.
    pub async fn option(&self, by: &Person, at: &str, to: &str) -> Option<Value> {
        let at = format!("{at}/transitions");
        let answer = by.api.send(Method::GET, &at, &[], None).await;
        let items = answer.json()["items"].as_array().cloned()?;
        items.into_iter().find(|option| option["to"] == to)
    }

    /// Those who make a move by one of its roles, save the firm where it is an approval.
    pub fn entitled(&self, known: &Move) -> impl Iterator<Item = (Role, &'c Person)> {
        let (by, approves) = (known.by, known.flags.approves);
        let people = self.cast.people.iter();
        people
            .filter(move |(role, _)| by.has(*role) && !(approves && role.is_of_consultancy()))
            .map(|(role, person)| (*role, person))
    }

    /// Somebody with one role who may make the move now.
    pub async fn mover(&self, at: &str, known: &Move) -> &'c Person {
        let mut why = String::new();
        for (role, person) in self.entitled(known) {
            match self.option(person, at, known.to).await {
                Some(option) if option["allowed"] == true => return person,
                option => why.push_str(&format!("\n{role}: {}", option.unwrap_or_default())),
            }
        }
        panic!(
            "{}: nobody may. If it needs something, say it in tests/api/kinds/preparations.rs.{why}",
            self.what(known)
        )
    }

    /// Lets the day of a deadline be over.
    async fn hasten(&self, at: &str, deadline: &str) {
        let stage = self.stage();
        let id = at.rsplit('/').next().unwrap();
        let tenant = stage.client.id;
        let db = stage.app.owner().await;
        db.batch_execute(&format!("SET app.tenant_id = '{tenant}'")).await.unwrap();
        let sql = format!("UPDATE deadlines SET due_on = '2027-03-14' WHERE record_id = '{id}' AND name = '{deadline}'");
        let changed = db.execute(&sql, &[]).await.unwrap();
        assert_eq!(changed, 1, "{}: no deadline {deadline}", self.entry.info.name);
        // What happens daily happens once a day: the day before, and this day anew.
        set_clock(stage.app, "2027-03-14T08:00:00Z").await;
        set_clock(stage.app, DAY_OF_THE_EXAMPLES).await;
    }

    /// A move in words.
    pub fn what(&self, known: &Move) -> String {
        format!("{} {} -> {}", self.entry.info.name, known.from, known.to)
    }
}
