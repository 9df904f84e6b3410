//! What people read at their own addresses tells nothing of others: lists that no wall of the
//! database guards are lists of the caller's own.

use reqwest::Method;

use crate::isolation::document::{Operation, operations};
use crate::isolation::holdings::Holding;
use crate::support::{Client, Firm, Person, Setup};

/// Somebody who reads what is theirs.
struct Reader<'a> {
    who: &'static str,
    person: &'a Person,
    /// The client they are at home in, if there is one.
    own: Option<&'a Holding>,
    firm: Option<uuid::Uuid>,
    /// Whose secrets they must not read.
    others: Vec<&'a Holding>,
}

impl Reader<'_> {
    /// The address of an operation with nothing but what is theirs, if they have all of it.
    fn address(&self, of: &Operation) -> Option<String> {
        let is_own = |name: &String| match (name.as_str(), self.own) {
            ("consultancy_id", _) => self.firm.is_some(),
            (_, own) => own.is_some() && (self.firm.is_some() || !of.path.starts_with("/v1/consultancies/")),
        };
        if !of.ids.iter().all(is_own) {
            return None;
        }
        Some(of.address(|name| match (name, self.firm, self.own) {
            ("consultancy_id", Some(firm), _) => firm.to_string(),
            (_, _, Some(own)) => own.value(of, name),
            _ => "iso42001".to_owned(),
        }))
    }
}

/// Whether what is behind an address is a list.
fn is_list(text: &str) -> bool {
    text.starts_with("{\"items\":") || text.starts_with('[')
}

/// Reads one address in each way its list knows.
async fn texts(api: &Client, address: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for address in [address.to_owned(), format!("{address}?limit=200")] {
        let answer = api.send(Method::GET, &address, &[], None).await;
        assert!(answer.status < 500, "{address}: {}", answer.text);
        if answer.status == 200 {
            found.push((address, answer.text));
        }
    }
    found
}

#[actix_web::test]
async fn no_list_at_ones_own_address_tells_what_belongs_to_others() {
    let app = Setup::named("own_lists").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let other_firm = Firm::sign_up(&app, "Other Advisory").await;
    let victim = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let sister = Holding::of(&firm, "Borealis Insurance").await;
    let stranger = Holding::of(&other_firm, "Corvus Health").await;
    let colleague = firm.hire("Nils Aune", "consultant").await;
    let lead = firm.hire("Lars Holm", "lead").await;
    let (of_firm, of_other) = (Some(firm.id), Some(other_firm.id));
    let reader = |who, person, own, firm, others| Reader { who, person, own, firm, others };
    let readers = [
        reader("a colleague assigned to nobody", &colleague, None, of_firm, vec![&victim, &sister, &stranger]),
        reader("a lead assigned to nobody", &lead, None, of_firm, vec![&victim, &sister, &stranger]),
        reader("a consultant of another client", &sister.consultant, Some(&sister), of_firm, vec![&victim, &stranger]),
        reader("all roles at another client", &sister.everybody, Some(&sister), None, vec![&victim, &stranger]),
        reader("top management of another client", &sister.top, Some(&sister), None, vec![&victim, &stranger]),
        reader("a viewer of another client", &sister.viewer, Some(&sister), None, vec![&victim, &stranger]),
        reader("the owner of the firm", &firm.owner, Some(&victim), of_firm, vec![&stranger]),
        reader("a consultant of another firm", &stranger.consultant, Some(&stranger), of_other, vec![&victim, &sister]),
        reader("the owner of another firm", &other_firm.owner, Some(&stranger), of_other, vec![&victim, &sister]),
    ];

    let (mut told, mut lists) = (Vec::new(), 0);
    for reader in &readers {
        let secrets: Vec<String> = reader.others.iter().flat_map(|other| other.secrets()).collect();
        for of in operations().iter().filter(|of| of.method == Method::GET) {
            let Some(address) = reader.address(of) else { continue };
            for (address, text) in texts(&reader.person.api, &address).await {
                lists += usize::from(is_list(&text));
                let found = secrets.iter().filter(|secret| text.contains(secret.as_str()));
                told.extend(found.map(|secret| format!("{} reads {secret} at {address}", reader.who)));
            }
        }
    }

    assert!(told.is_empty(), "{} secrets are told:\n{}", told.len(), told.join("\n"));
    assert!(lists > 200, "only {lists} lists were read");
}
