//! The people of the demo: Fjordlys Advisory and its two clients.

use chrono_tz::Tz;

/// The password of every demo account; everybody can read it here.
pub(super) const PASSWORD: &str = "four small boats leave";
/// The consultancy.
pub(super) const FIRM: &str = "Fjordlys Advisory";
/// Its owner, who signs it up.
pub(super) const OWNER: Person = person("Signe Dahl", "signe@fjordlys.example", &["owner"]);

/// Somebody.
pub(super) struct Person {
    /// Name.
    pub(super) name: &'static str,
    /// Address.
    pub(super) email: &'static str,
    /// Roles, as the API names them.
    pub(super) roles: &'static [&'static str],
}

/// A client organisation.
pub(super) struct Client {
    /// Name.
    pub(super) name: &'static str,
    /// Line of business.
    pub(super) sector: &'static str,
    /// Number of staff.
    pub(super) size: u32,
    /// Country, ISO 3166-1.
    pub(super) country: &'static str,
    /// Zone of its civil dates. The two zones lie half a day apart: at any hour it is later than
    /// 08:00 in one of them, so that a reminder goes out at once.
    pub(super) zone: Tz,
    /// Its own people.
    pub(super) staff: &'static [Person],
    /// Who of the consultancy works for it, and as what.
    pub(super) assigned: &'static [(&'static str, &'static str)],
}

const fn person(name: &'static str, email: &'static str, roles: &'static [&'static str]) -> Person {
    Person { name, email, roles }
}

/// Who else belongs to the consultancy. Nils works for none of the clients and sees none.
pub(super) const CONSULTANTS: &[Person] = &[
    person("Lars Holm", "lars@fjordlys.example", &["lead"]),
    person("Ida Berg", "ida@fjordlys.example", &["consultant"]),
    person("Jonas Vik", "jonas@fjordlys.example", &["consultant"]),
    person("Nils Aune", "nils@fjordlys.example", &["consultant"]),
];

/// The consumer lender.
pub(super) const AURELIA: Client = Client {
    name: "Aurelia Lending B.V.",
    sector: "consumer credit",
    size: 240,
    country: "NL",
    zone: Tz::Europe__Amsterdam,
    staff: &[
        person(
            "Willem de Graaf",
            "willem@aurelia.example",
            &["top_management"],
        ),
        person("Mara Visser", "mara@aurelia.example", &["aims_manager"]),
        person("Joost Bakker", "joost@aurelia.example", &["system_owner"]),
        person("Femke Jansen", "femke@aurelia.example", &["system_owner"]),
        person("Daan Mulder", "daan@aurelia.example", &["system_owner"]),
        person("Ana Gómez", "ana@aurelia.example", &["risk_owner"]),
        person(
            "Pieter Smit",
            "pieter@aurelia.example",
            &["internal_auditor"],
        ),
        person("Sanne Kok", "sanne@aurelia.example", &["employee"]),
        person("Bram Peters", "bram@aurelia.example", &["employee"]),
    ],
    assigned: &[
        ("lars@fjordlys.example", "lead"),
        ("ida@fjordlys.example", "consultant"),
    ],
};

/// The clinics, which use AI and build none.
pub(super) const KESTREL: Client = Client {
    name: "Kestrel Clinics",
    sector: "outpatient care",
    size: 90,
    country: "NZ",
    zone: Tz::Pacific__Auckland,
    staff: &[
        person("Aroha Ngata", "aroha@kestrel.example", &["top_management"]),
        person("Tom Fraser", "tom@kestrel.example", &["aims_manager"]),
        person("Priya Nair", "priya@kestrel.example", &["system_owner"]),
        person("Helen Park", "helen@kestrel.example", &["risk_owner"]),
        person("Ben Tui", "ben@kestrel.example", &["internal_auditor"]),
        person("Lucy Chen", "lucy@kestrel.example", &["employee"]),
    ],
    assigned: &[
        ("lars@fjordlys.example", "lead"),
        ("jonas@fjordlys.example", "consultant"),
    ],
};

/// Everybody who puts their hand to something while the data is loaded.
pub(super) const ACTING: &[&str] = &[
    "ida@fjordlys.example",
    "jonas@fjordlys.example",
    "willem@aurelia.example",
    "mara@aurelia.example",
    "joost@aurelia.example",
    "ana@aurelia.example",
    "aroha@kestrel.example",
    "tom@kestrel.example",
    "helen@kestrel.example",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::passwords;

    #[test]
    fn the_demo_password_is_one_that_the_server_takes() {
        let all = CONSULTANTS.iter().chain(AURELIA.staff).chain(KESTREL.staff);
        for person in all.chain([&OWNER]) {
            assert_eq!(passwords::fault(PASSWORD, person.email), None);
            assert!(person.email.ends_with(".example"));
        }
    }

    #[test]
    fn at_any_hour_it_is_past_eight_at_one_of_the_clients() {
        let start = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for hours in 0..24 * 400 {
            let now = start + chrono::TimeDelta::hours(hours);
            let past = |zone: Tz| {
                let today = now.with_timezone(&zone).date_naive();
                crate::reminders::instant(today, zone).unwrap() <= now
            };
            assert!(past(AURELIA.zone) || past(KESTREL.zone), "{now}");
        }
    }
}
