//! THE RULE that makes it safe to cache tokens: every fact that a decision may read is either in the key under which the
//! proxy caches the token, or comes back as a constraint that the proxy checks on every use.
//!
//! The table names each fact and where it is carried. The schema declares the facts in the key and no others, so that strict
//! validation refuses a policy that reads any other; [`advice`] says what to write instead.

/// Where a fact is carried, so that a cached token cannot outlive a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// In this field of the proxy's cache key. Policies may read it.
    InKey(&'static str),
    /// In this member of a constraint. Policies restrict it by the annotation of the same name.
    Constraint(&'static str),
}

/// A fact about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name: an attribute of `context`, or the variable itself.
    pub name: &'static str,
    /// Where it is carried.
    pub carried: Carried,
}

/// Every fact there is.
pub const FACTS: [Fact; 10] = [
    // The workload, with everything its token says of it: the key holds the token's digest.
    in_key("principal", "subject"),
    in_key("resource", "resource"),
    in_key("actor", "actor"),
    in_key("scope", "scope"),
    in_key("audience", "audience"),
    in_key("requested_token_type", "requested_token_type"),
    in_key("route", "route"),
    in_key("listener", "listener"),
    constraint("method", "methods"),
    constraint("path", "paths"),
];

const fn in_key(name: &'static str, field: &'static str) -> Fact {
    Fact { name, carried: Carried::InKey(field) }
}

const fn constraint(name: &'static str, member: &'static str) -> Fact {
    Fact { name, carried: Carried::Constraint(member) }
}

/// Why a policy cannot read `context.NAME`, and what to do instead; nothing where the table says it can.
pub fn advice(name: &str) -> Option<String> {
    let known = |name: &str| FACTS.iter().find(|fact| fact.name == name);
    match known(name).or_else(|| known(name.trim_end_matches('s'))) {
        Some(Fact { carried: Carried::InKey(_), name: exact }) if *exact == name => None,
        Some(Fact { carried: Carried::Constraint(member), .. }) => Some(format!(
            "`context.{name}` cannot be read: a cached token is used again for other requests of the same route. \
             Write the annotation `@{member}(\"...\")` instead; proxies check it on every use"
        )),
        _ => {
            let names: Vec<_> = readable().map(|fact| fact.name).collect();
            Some(format!("`context.{name}` is no fact a policy can read; there are {}", names.join(", ")))
        }
    }
}

/// The facts that stand in `context`.
fn readable() -> impl Iterator<Item = &'static Fact> {
    let in_context = |fact: &&Fact| !matches!(fact.name, "principal" | "resource");
    FACTS.iter().filter(in_context).filter(|fact| matches!(fact.carried, Carried::InKey(_)))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use filter_core::key::{Key, Probe, RouteFacts, Subject};
    use token::{constraint::Constraint, path_pattern::PathPattern, token_type::TokenType};

    use super::*;
    use crate::policy::SCHEMA_V1;

    /// The attribute names of each action's context, as the schema that is really used declares them.
    fn contexts() -> Vec<(String, BTreeSet<String>)> {
        let (fragment, _) = cedar_policy::SchemaFragment::from_cedarschema_str(SCHEMA_V1).unwrap();
        let json = fragment.to_json_value().unwrap();
        let actions = json["Cloakroom"]["actions"].as_object().unwrap();
        let attributes = |action: &serde_json::Value| {
            let attributes = action["appliesTo"]["context"]["attributes"].as_object();
            attributes.map(|attributes| attributes.keys().cloned().collect()).unwrap_or_default()
        };
        actions.iter().map(|(name, action)| (name.clone(), attributes(action))).collect()
    }

    #[test]
    fn the_schema_declares_exactly_the_facts_in_the_key() {
        let table: BTreeSet<_> = readable().map(|fact| fact.name.to_owned()).collect();
        let contexts = contexts();
        assert_eq!(contexts.len(), 3);
        for (action, attributes) in contexts {
            match action.as_str() {
                "exchange" => assert_eq!(attributes, table),
                "exchange_directly" => assert!(attributes.is_subset(&table)),
                "act_for" => assert!(attributes.is_empty()),
                other => panic!("the action {other} has no place in the table"),
            }
        }
    }

    /// A key, with the named field other than it usually is.
    fn key(changed: &str) -> Key {
        let text = |field: &str| if field == changed { format!("another {field}") } else { field.to_owned() };
        let facts = RouteFacts {
            listener: text("listener"),
            route: text("route"),
            settings: [0; 32],
            actor: text("actor"),
            subject_token_type: TokenType::Jwt,
            resource: Some(text("resource")),
            audience: Some(text("audience")),
            scope: Some(text("scope")),
            requested_token_type: match changed {
                "requested_token_type" => TokenType::Jwt,
                _ => TokenType::AccessToken,
            },
            binding_key: None,
            epoch: 0,
        };
        Probe::new(&Arc::new(facts), Subject::Token(&text("subject"))).unwrap().to_key()
    }

    #[test]
    fn every_fact_in_the_key_makes_another_key_of_the_proxy() {
        assert!(key("") == key(""));
        for fact in FACTS {
            if let Carried::InKey(field) = fact.carried {
                assert!(key("") != key(field), "`{field}` is no part of the proxy's key");
            }
        }
    }

    #[test]
    fn every_constraint_is_one_that_proxies_know() {
        let paths = Some(vec![PathPattern::parse("/a").unwrap()]);
        let constraint = serde_json::to_value(Constraint::new(Some(vec!["GET".into()]), paths)).unwrap();
        let known: BTreeSet<_> =
            constraint.as_object().unwrap().keys().filter(|name| *name != "type").map(String::as_str).collect();
        let table: BTreeSet<_> = FACTS
            .iter()
            .filter_map(|fact| match fact.carried {
                Carried::Constraint(member) => Some(member),
                Carried::InKey(_) => None,
            })
            .collect();
        assert_eq!(table, known, "every member of a constraint is a fact, and the other way round");
    }

    #[test]
    fn no_fact_stands_twice() {
        let names: BTreeSet<_> = FACTS.iter().map(|fact| fact.name).collect();
        assert_eq!(names.len(), FACTS.len());
    }

    #[test]
    fn the_advice_names_the_annotation() {
        assert!(advice("method").unwrap().contains("@methods"));
        assert!(advice("paths").unwrap().contains("@paths"));
        assert!(advice("hour").unwrap().contains("no fact"));
        assert!(advice("routes").unwrap().contains("no fact"));
        assert_eq!(advice("route"), None);
    }
}
