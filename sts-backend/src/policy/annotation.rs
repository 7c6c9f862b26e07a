//! What a permit grants, written as annotations.

use token::{claims::Scope, constraint::Constraint, path_pattern::PathPattern};

/// The longest life a permit may give, in seconds.
const MAX_TTL: u64 = 24 * 3600;

/// The terms of one permit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `@id`: its name in records.
    pub id: String,
    /// Its place among all policies; the first that fits is taken.
    pub order: usize,
    /// `@reason`, in words.
    pub reason: Option<String>,
    /// `@ttl`: how long a token lives, in seconds.
    pub ttl: Option<u64>,
    /// `@scope`: what it grants.
    pub scope: Scope,
    /// `@methods` and `@paths`: what proxies check on every use.
    pub constraints: Vec<Constraint>,
}

/// Which annotations a policy may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Those of a permit to have a token.
    Grant,
    /// `@id` and `@reason`: the policy grants nothing that could be shaped.
    NameOnly,
}

/// Reads the annotations of one policy; every fault is a message.
pub fn read<'a>(annotations: impl Iterator<Item = (&'a str, &'a str)>, allowed: Allowed) -> Result<Terms, Vec<String>> {
    let (mut terms, mut methods, mut paths, mut faults) = (Terms::default(), None, None, Vec::new());
    for (name, value) in annotations {
        let read = match (name, allowed) {
            ("id", _) => read_id(value).map(|id| terms.id = id),
            ("reason", _) => read_reason(value).map(|reason| terms.reason = Some(reason)),
            ("ttl", Allowed::Grant) => read_ttl(value).map(|ttl| terms.ttl = Some(ttl)),
            ("scope", Allowed::Grant) => read_scope(value).map(|scope| terms.scope = scope),
            ("methods", Allowed::Grant) => read_methods(value).map(|list| methods = Some(list)),
            ("paths", Allowed::Grant) => read_paths(value).map(|list| paths = Some(list)),
            ("ttl" | "scope" | "methods" | "paths", Allowed::NameOnly) => {
                Err("has a meaning only on a `permit` of `exchange` or `exchange_directly`".to_owned())
            }
            _ => Err("is not known; there are @id, @reason, @ttl, @scope, @methods and @paths".to_owned()),
        };
        if let Err(fault) = read {
            faults.push(format!("`@{name}(\"{value}\")` {fault}"));
        }
    }
    if methods.is_some() || paths.is_some() {
        terms.constraints = vec![Constraint::new(methods, paths)];
    }
    if faults.is_empty() { Ok(terms) } else { Err(faults) }
}

fn read_id(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
        return Err("must have 1 to 128 letters, digits or `._-:/`".to_owned());
    }
    Ok(text.to_owned())
}

fn read_reason(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 512 || text.chars().any(char::is_control) {
        return Err("must have 1 to 512 bytes without control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn read_ttl(text: &str) -> Result<u64, String> {
    let fault = || format!("must be a number with `s`, `m` or `h`, from 1s to {MAX_TTL}s");
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        _ => return Err(fault()),
    };
    let number = text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = number.and_then(|digits| digits.parse::<u64>().ok()).and_then(|number| number.checked_mul(unit));
    seconds.filter(|seconds| (1..=MAX_TTL).contains(seconds)).ok_or_else(fault)
}

fn read_scope(text: &str) -> Result<Scope, String> {
    match Scope::parse(text) {
        Ok(scope) if scope.is_empty() => Err("holds no scope; leave the annotation out to grant none".to_owned()),
        Ok(scope) => Ok(scope),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn read_methods(text: &str) -> Result<Vec<String>, String> {
    let methods: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    let is_method =
        |method: &String| method.len() <= 32 && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if methods.is_empty() || !methods.iter().all(is_method) {
        return Err("must be methods in upper case, divided by spaces".to_owned());
    }
    Ok(methods)
}

fn read_paths(text: &str) -> Result<Vec<PathPattern>, String> {
    let read =
        |path| PathPattern::parse(path).map_err(|error| format!("holds `{path}`, which is no path pattern: {error}"));
    let paths = text.split_ascii_whitespace().map(read).collect::<Result<Vec<_>, _>>()?;
    if paths.is_empty() { Err("holds no path".to_owned()) } else { Ok(paths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(annotations: &[(&'static str, &'static str)], allowed: Allowed) -> Result<Terms, Vec<String>> {
        read(annotations.iter().copied(), allowed)
    }

    #[test]
    fn a_permit_says_what_it_grants() {
        let terms = read_all(
            &[
                ("id", "a"),
                ("reason", "r"),
                ("ttl", "5m"),
                ("scope", "b a"),
                ("methods", "GET HEAD"),
                ("paths", "/a/* /b"),
            ],
            Allowed::Grant,
        )
        .unwrap();
        assert_eq!((terms.id.as_str(), terms.ttl, terms.scope.to_string().as_str()), ("a", Some(300), "a b"));
        let constraint = &terms.constraints[0];
        assert_eq!(constraint.methods.as_ref().unwrap(), &["GET", "HEAD"]);
        assert_eq!(constraint.paths.as_ref().unwrap().len(), 2);
        assert!(read_all(&[("id", "a")], Allowed::Grant).unwrap().constraints.is_empty());
    }

    #[test]
    fn what_cannot_be_read_refuses_the_load() {
        for (name, value) in [
            ("id", ""),
            ("id", "a b"),
            ("reason", ""),
            ("ttl", "60"),
            ("ttl", "0s"),
            ("ttl", "25h"),
            ("ttl", "-1s"),
            ("ttl", "+1s"),
            ("ttl", "99999999999999999999s"),
            ("ttl", "é"),
            ("scope", " "),
            ("scope", "a\"b"),
            ("methods", ""),
            ("methods", "get"),
            ("methods", "GET,HEAD"),
            ("paths", ""),
            ("paths", "a"),
            ("paths", "/a/../b"),
            ("ttI", "60s"),
            ("hours", "9-17"),
        ] {
            let faults = read_all(&[(name, value)], Allowed::Grant).unwrap_err();
            assert_eq!(faults.len(), 1, "@{name}({value:?})");
            assert!(faults[0].contains(name), "{}", faults[0]);
        }
    }

    #[test]
    fn a_policy_that_grants_nothing_cannot_shape_it() {
        assert!(read_all(&[("id", "a"), ("reason", "r")], Allowed::NameOnly).is_ok());
        for name in ["ttl", "scope", "methods", "paths"] {
            assert!(read_all(&[(name, "x")], Allowed::NameOnly).is_err());
        }
    }
}
