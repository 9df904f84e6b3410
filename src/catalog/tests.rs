//! Whether the files of `catalogs/` say what their frameworks say.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::*;

/// Ids of the units of a catalogue that a condition holds for.
fn ids(catalog_id: &str, wanted: impl Fn(&Unit) -> bool) -> BTreeSet<&'static str> {
    let units = catalog(catalog_id).unwrap().units.iter();
    let wanted = units.filter(|unit| wanted(unit));
    wanted.map(|unit| unit.id.as_str()).collect()
}

fn of_kind(catalog_id: &str, kind: UnitKind) -> BTreeSet<&'static str> {
    ids(catalog_id, |unit| unit.kind == kind)
}

#[test]
fn catalogues_are_named_as_their_files() {
    let names: Vec<_> = catalogs().iter().map(|catalog| &catalog.id).collect();

    assert_eq!(names, ["iso42001", "nist-ai-rmf", "eu-ai-act", "iso27001"]);
}

#[test]
fn no_id_stands_twice_and_every_parent_exists() {
    for catalog in catalogs() {
        let mut seen = HashSet::new();
        for unit in &catalog.units {
            assert!(seen.insert(&unit.id), "{} {} twice", catalog.id, unit.id);
            assert!(!unit.id.trim().is_empty() && !unit.title.trim().is_empty());
            if let Some(parent) = &unit.parent {
                assert!(has(&catalog.id, parent), "{} {}", catalog.id, unit.id);
            }
        }
    }
}

#[test]
fn a_unit_is_found_by_its_id_only() {
    for (catalog_id, unit_id) in [
        ("iso42001", "6.1.2"),
        ("iso42001", "6.1"),
        ("iso42001", "6"),
        ("iso42001", "A.5.2"),
        ("iso42001", "A.6.2"),
        ("iso42001", "A.6.2.5"),
        ("nist-ai-rmf", "GOVERN"),
        ("nist-ai-rmf", "GOVERN 1"),
        ("nist-ai-rmf", "MAP 1.3"),
        ("eu-ai-act", "art-9"),
        ("eu-ai-act", "art-26-7"),
        ("iso27001", "9.2.2"),
        ("iso27001", "A.8"),
        ("iso27001", "A.8.34"),
    ] {
        assert!(has(catalog_id, unit_id), "{catalog_id} {unit_id}");
    }
    for (catalog_id, unit_id) in [
        ("iso42001", "6.1.9"),
        ("iso42001", "A.5.31"),
        ("iso42001", ""),
        ("iso42001", "a.5.2"),
        ("iso42001", " 6.1.2"),
        ("crosswalk", "4.1"),
        ("", "4.1"),
    ] {
        assert!(!has(catalog_id, unit_id), "{catalog_id} {unit_id}");
    }
}

#[test]
fn iso_42001_has_32_leaf_clauses_and_38_controls() {
    let leaves = ids(ISO_42001, |unit| {
        unit.kind == UnitKind::Clause && unit.assessable
    });
    let controls = of_kind(ISO_42001, UnitKind::Control);
    let areas = ids(ISO_42001, |unit| {
        unit.kind == UnitKind::Objective && unit.parent.is_none()
    });

    assert_eq!((leaves.len(), areas.len(), controls.len()), (32, 9, 38));
    let mut per_area = BTreeMap::new();
    for control in controls {
        let mut parts = control.splitn(3, '.');
        let area = format!("{}.{}", parts.next().unwrap(), parts.next().unwrap());
        assert!(areas.contains(area.as_str()), "{control}");
        let parent = unit(ISO_42001, control).unwrap().parent.clone().unwrap();
        assert!(
            parent == area || unit(ISO_42001, &parent).unwrap().parent.as_ref() == Some(&area),
            "{control}"
        );
        *per_area.entry(area).or_insert(0) += 1;
    }
    let expected = [3, 2, 5, 4, 9, 5, 4, 3, 3];
    let expected = expected
        .iter()
        .zip(2..)
        .map(|(n, k)| (format!("A.{k}"), *n));
    assert_eq!(per_area, expected.collect());
}

#[test]
fn what_iso_42001_assesses_says_how() {
    for unit in &catalog(ISO_42001).unwrap().units {
        let clause = unit.kind == UnitKind::Clause;
        if !unit.assessable {
            assert!(unit.kind != UnitKind::Control, "{}", unit.id);
            continue;
        }
        assert!(
            unit.group.is_some() && unit.summary.is_some(),
            "{}",
            unit.id
        );
        assert!(!unit.evidence.is_empty(), "{}", unit.id);
        assert!(unit.freshness_months.is_some_and(|n| n > 0), "{}", unit.id);
        if clause {
            assert_eq!(!unit.documents.is_empty(), unit.mandatory_document);
            assert_eq!(unit.document_kind.is_some(), unit.mandatory_document);
        }
    }
    let groups = catalog(ISO_42001).unwrap().units.iter();
    let groups: BTreeSet<_> = groups.filter_map(|unit| unit.group.as_deref()).collect();
    let expected = [
        "CONTEXT",
        "EVALUATION",
        "IMPROVEMENT",
        "LEADERSHIP",
        "OPERATION",
        "RISK-OPP",
        "SUPPORT",
    ];
    assert_eq!(groups, BTreeSet::from(expected));
}

#[test]
fn nist_ai_rmf_has_its_shape() {
    assert_eq!(of_kind("nist-ai-rmf", UnitKind::Function).len(), 4);
    for (function, categories, subcategories) in [
        ("GOVERN", 6, 19),
        ("MAP", 5, 18),
        ("MEASURE", 4, 22),
        ("MANAGE", 4, 13),
    ] {
        let begins = format!("{function} ");
        let count = |kind| {
            let units = of_kind("nist-ai-rmf", kind).into_iter();
            units.filter(|id| id.starts_with(&begins)).count()
        };
        assert_eq!(count(UnitKind::Category), categories, "{function}");
        assert_eq!(count(UnitKind::Subcategory), subcategories, "{function}");
    }
}

#[test]
fn eu_ai_act_has_55_articles_and_68_duties() {
    assert_eq!(of_kind("eu-ai-act", UnitKind::Article).len(), 55);
    assert_eq!(ids("eu-ai-act", |unit| unit.assessable).len(), 68);
    for unit in &catalog("eu-ai-act").unwrap().units {
        let part = unit.kind == UnitKind::Obligation;
        assert_eq!(part, unit.parent.is_some(), "{}", unit.id);
        assert!(!part || unit.assessable, "{}", unit.id);
        assert!(!unit.applies_from.is_empty(), "{}", unit.id);
        assert_eq!(unit.assessable, !unit.addressees.is_empty(), "{}", unit.id);
    }
}

#[test]
fn iso_27001_has_93_controls_in_four_themes() {
    let leaves = ids("iso27001", |unit| {
        unit.kind == UnitKind::Clause && unit.assessable
    });
    assert_eq!(leaves.len(), 30);
    for (theme, controls) in [("A.5", 37), ("A.6", 8), ("A.7", 14), ("A.8", 34)] {
        let below = ids("iso27001", |unit| unit.parent.as_deref() == Some(theme));
        assert_eq!(below.len(), controls, "{theme}");
        assert!(below.iter().all(|id| id.starts_with(&format!("{theme}."))));
    }
}

#[test]
fn crosswalk_joins_units_that_exist() {
    let mut seen = HashSet::new();
    let links = &crosswalk().links;
    for link in links {
        let (from, to) = (&link.from_unit, &link.to_unit);
        assert!(has(&link.from_catalog, from), "{from}");
        assert!(has(&link.to_catalog, to), "{} {to}", link.to_catalog);
        assert!((1..=3).contains(&link.strength), "{from} -> {to}");
        assert!(
            seen.insert((from, &link.to_catalog, to)),
            "{from} -> {to} twice"
        );
    }
    assert_eq!(links.len(), 455);
}

#[test]
fn crosswalk_covers_every_leaf_of_iso_42001_and_every_subcategory_of_nist() {
    let links = &crosswalk().links;
    let from: BTreeSet<_> = links.iter().map(|link| link.from_unit.as_str()).collect();
    assert_eq!(from, ids(ISO_42001, |unit| unit.assessable));

    let to = links.iter().filter(|link| link.to_catalog == "nist-ai-rmf");
    let to: BTreeSet<_> = to.map(|link| link.to_unit.as_str()).collect();
    assert_eq!(to, of_kind("nist-ai-rmf", UnitKind::Subcategory));
}

#[test]
fn duties_out_of_reach_are_duties_of_the_eu_ai_act() {
    let duties = ids("eu-ai-act", |unit| unit.assessable);
    let uncovered = &crosswalk().uncovered;

    assert_eq!(uncovered.len(), 34);
    for duty in uncovered {
        assert!(duties.contains(duty.unit.as_str()), "{}", duty.unit);
    }
}

#[test]
fn crosswalk_reads_both_ways() {
    let there: Vec<_> = routes::links(ISO_42001, Some("iso27001")).collect();
    let back: Vec<_> = routes::links("iso27001", Some(ISO_42001)).collect();

    assert!(!there.is_empty());
    assert_eq!(there.len(), back.len());
    for (there, back) in there.iter().zip(&back) {
        assert_eq!(
            (&there.from_unit, &there.to_unit),
            (&back.to_unit, &back.from_unit)
        );
        let expected = match there.relation {
            Relation::Subset => Relation::Superset,
            Relation::Superset => Relation::Subset,
            other => other,
        };
        assert_eq!(back.relation, expected);
    }
}
