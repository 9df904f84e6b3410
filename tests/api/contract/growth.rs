//! What one kind more costs the document: with seventy kinds it must still open quickly.

use std::collections::BTreeSet;

use aims::http::openapi;
use aims::records::{Registry, document};
use serde_json::Value;

/// Bytes of compact JSON that a plain kind may add.
const BYTES: usize = 25_000;
/// Operations that a plain kind may add.
const OPERATIONS: usize = 8;

/// Makes plain kinds: some fields of every sort, five states, a filter and an order.
macro_rules! plain_kinds {
    ($($name:ident)*) => {
        $(mod $name {
            use aims::records::{Flags, Kind, KindInfo, Lifecycle, Lives, PersonId, State, Transition};
            use aims::tenancy::{Role, Roles};
            use chrono::NaiveDate;
            use serde::{Deserialize, Serialize};
            use serde_json::{Value, json};
            use utoipa::ToSchema;

            /// A plain record.
            #[derive(Clone, Serialize, Deserialize, ToSchema)]
            pub struct Plain {
                /// What it is about, in a few words for those who read it later.
                #[schema(min_length = 1, max_length = 4000)]
                pub description: String,
                /// How it is done.
                pub way: Way,
                /// Who does it.
                pub person_id: Option<PersonId>,
                /// By when it shall be done, at the latest.
                #[schema(value_type = Option<String>, format = Date)]
                pub due_on: Option<NaiveDate>,
                /// How much of it, in hundredths.
                #[schema(minimum = 0, maximum = 100)]
                pub share: Option<i32>,
                /// What came of it; computed.
                #[schema(read_only)]
                pub outcome: Option<String>,
            }

            /// A way of doing it.
            #[derive(Clone, Serialize, Deserialize, ToSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum Way {
                /// By hand.
                ByHand,
                /// By machine.
                ByMachine,
                /// Not at all.
                NotAtAll,
            }

            /// Its states.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
            #[strum(serialize_all = "snake_case")]
            pub enum PlainState { Open, InReview, Approved, Done, Cancelled }

            impl State for PlainState {}

            impl Lives for Plain {
                type State = PlainState;

                fn lifecycle() -> Lifecycle<Self> {
                    let move_to = |from: PlainState, to: PlainState| (Some(from), Transition {
                        from: from.name(), to: to.name(), by: Roles::of(&[Role::AimsManager]),
                        or: &[], except: &[], guards: Vec::new(), flags: Flags::default(),
                    });
                    Lifecycle::new(PlainState::Open, &[], vec![
                        move_to(PlainState::Open, PlainState::InReview),
                        move_to(PlainState::InReview, PlainState::Approved),
                        move_to(PlainState::Approved, PlainState::Done),
                        move_to(PlainState::Open, PlainState::Cancelled),
                    ])
                }
            }

            impl Kind for Plain {
                const INFO: KindInfo = KindInfo {
                    name: stringify!($name),
                    path: stringify!($name),
                    prefix: "PLN",
                    one: concat!("plain thing ", stringify!($name)),
                    many: concat!("plain things ", stringify!($name)),
                    clauses: &["6.1.2", "8.2"],
                    about: "A plain thing that the management system plans, does and judges; it is kept with its history.",
                };
                const AUTHORS: Roles = Roles::of(&[Role::AimsManager, Role::Consultant, Role::Lead]);
                const FILTERS: &'static [&'static str] = &["way"];
                const SORTS: &'static [&'static str] = &["due_on"];

                fn example() -> Value {
                    json!({
                        "title": "Yearly check of the plain thing",
                        "description": "Look at all of it and write down what has changed since last year.",
                        "way": "by_hand", "due_on": "2027-06-30", "share": 40,
                    })
                }
            }
        })*

        fn with_plain_kinds(registry: Registry) -> (Registry, usize) {
            let names = [$(stringify!($name)),*];
            (registry$(.with::<$name::Plain>())*, names.len())
        }
    };
}

plain_kinds! {
    plain_00 plain_01 plain_02 plain_03 plain_04 plain_05 plain_06 plain_07 plain_08 plain_09
    plain_10 plain_11 plain_12 plain_13 plain_14 plain_15 plain_16 plain_17 plain_18 plain_19
    plain_20 plain_21 plain_22 plain_23 plain_24 plain_25 plain_26 plain_27 plain_28 plain_29
    plain_30 plain_31 plain_32 plain_33 plain_34 plain_35 plain_36 plain_37 plain_38 plain_39
    plain_40 plain_41 plain_42 plain_43 plain_44 plain_45 plain_46 plain_47 plain_48 plain_49
    plain_50 plain_51 plain_52 plain_53 plain_54 plain_55 plain_56 plain_57 plain_58 plain_59
}

/// The finished document of these kinds: bytes of compact JSON, and ids of its operations.
fn measured(registry: &Registry) -> (usize, BTreeSet<String>) {
    let finished = openapi::finish(document(registry), "").unwrap();
    let paths = finished["paths"].as_object().unwrap();
    let operations = paths
        .values()
        .flat_map(|item| item.as_object().unwrap().values());
    let ids = operations.filter_map(|operation| operation["operationId"].as_str());
    let ids = ids.map(str::to_owned).collect();
    (serde_json::to_string(&finished).unwrap().len(), ids)
}

#[test]
fn sixty_plain_kinds_more_add_little_each() {
    let (bytes, ids) = measured(&aims::aims::kinds());
    let (many, added) = with_plain_kinds(aims::aims::kinds());
    assert_eq!(added, 60);

    let (more_bytes, more_ids) = measured(&many);

    let each = (more_bytes - bytes) / added;
    assert!(
        each <= BYTES,
        "a plain kind adds {each} bytes to the document; what kinds share belongs into a component"
    );
    let each = (more_ids.len() - ids.len()).div_ceil(added);
    assert!(
        each <= OPERATIONS,
        "a plain kind adds {each} operations; what all kinds have is documented once with {{kind}}"
    );
}

#[test]
fn no_value_of_the_document_is_told_twice_by_kinds() {
    let (many, _) = with_plain_kinds(aims::aims::kinds());
    let finished = openapi::finish(document(&many), "").unwrap();
    let schemas = finished["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        let tells_kinds = |value: &Value| value.to_string().contains("\"plain_59\"");
        assert!(
            name == "RecordKind" || !tells_kinds(schema),
            "{name} lists the kinds; it grows with each of them, refer to RecordKind"
        );
    }
}
