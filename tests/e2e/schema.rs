//! The JSON Schema of the filter's configuration, judged by a validator that others wrote: it and the filter's own reader
//! must agree.
//!
//! The validator is Python's `jsonschema`, pinned beside the other clients. Those for Rust would bring some twenty crates
//! into the lock file for this one test, and this one reads the patterns with a regular-expression engine of its own too.

use std::{fs, process::Command};

use filter_core::config::{self, Config};
use harness::{
    Result,
    artefact::{self, Progress},
    bootstrap::Document,
    python, workspace,
};
use serde_json::{Value, json};

#[test]
fn the_schema_accepts_every_example_in_the_repository() -> Result<()> {
    let examples = examples()?;
    assert_eq!(examples.len(), 4);
    for (judgement, (source, _)) in judge(examples.iter().map(|(_, example)| example))?.iter().zip(&examples) {
        assert_eq!(*judgement, None, "{source}");
    }
    Ok(())
}

#[test]
fn the_schema_refuses_what_is_wrong_and_says_where() -> Result<()> {
    let wrong: [(&str, Value, &str); 9] = [
        ("/colour", json!("red"), "$: "),
        ("/version", json!(2), "$.version: "),
        ("/sts/timeout_ms", json!("fast"), "$.sts.timeout_ms: "),
        ("/sts/actor", json!("edge"), "$.sts.actor: "),
        ("/limits/shared_tokens", json!(65_537), "$.limits.shared_tokens: "),
        ("/defaults/refresh_ahead", json!("yes"), "$.defaults.refresh_ahead: "),
        ("/route_check", json!("none"), "$.route_check: "),
        ("/routes/health", json!("verify"), "$.routes.health: "),
        ("/routes/gcp-reports/exchange/clusters", json!([]), "$.routes['gcp-reports']: "),
    ];
    let documents: Vec<Value> = wrong.iter().map(|(at, value, _)| changed(at, value)).collect::<Result<_>>()?;
    for (judgement, (at, _, place)) in judge(&documents)?.iter().zip(&wrong) {
        let said = judgement.as_ref().ok_or_else(|| format!("{at} was accepted"))?;
        assert!(said.starts_with(place), "{at}: {said}");
    }
    Ok(())
}

/// What a setting is replaced by. No `null`: the reader takes it for an absent member, and the schema does not offer that.
fn replacements() -> Vec<Value> {
    vec![
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(301),
        json!(99_999),
        json!(2_000_000_000),
        json!(0.5),
        json!(""),
        json!("a"),
        json!("a b"),
        json!("a;b=\""),
        json!("A_B"),
        json!("/a?b"),
        json!("https://a.test/#b"),
        json!("spiffe://a.test/../b"),
        json!("untouched"),
        json!("x".repeat(3_000)),
        json!([]),
        json!(["a", "a b"]),
        json!(vec!["a"; 65]),
        json!({}),
        json!({"header": {}}),
        json!({"header": {"name": "host"}}),
        json!({"exchange": {"audience": "a", "clusters": ["a"]}}),
        json!({"exchange": {"clusters": ["a"]}}),
        json!({"a": "untouched", "b": 1}),
    ]
}

#[test]
fn schema_and_reader_agree_about_every_change_of_every_setting() -> Result<()> {
    let (_, whole) = readme_example("filter/README.md")?;
    let mut documents = Vec::new();
    for at in places(&whole, "") {
        documents.extend(replacements().iter().map(|value| changed(&at, value)).collect::<Result<Vec<_>>>()?);
        documents.push(changed(&format!("{at}/unknown"), &json!(1))?);
        documents.extend(without(&whole, &at));
    }
    assert!(documents.len() > 1_000, "{}", documents.len());
    let mut accepted = 0;
    for (judgement, document) in judge(&documents)?.iter().zip(&documents) {
        let read = Config::parse(document.to_string().as_bytes());
        assert_eq!(read.is_ok(), judgement.is_none(), "{document}\nreader: {read:?}\nschema: {judgement:?}");
        accepted += usize::from(read.is_ok());
    }
    // Both sides of the comparison were seen.
    assert!(accepted > 50 && accepted < documents.len() / 2, "{accepted} of {}", documents.len());
    Ok(())
}

#[test]
fn the_module_for_envoy_carries_no_schema() -> Result<()> {
    let module = fs::read(artefact::filter(Progress::Kept)?)?;
    let holds = |text: &str| module.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("a list of the clusters the token may be sent to"), "the reader's words are in it");
    assert!(!holds("json-schema.org") && !holds("The clusters the issued token may go to."));
    Ok(())
}

/// What the validator says of each document.
fn judge<'d>(documents: impl IntoIterator<Item = &'d Value>) -> Result<Vec<Option<String>>> {
    let documents: Vec<&Value> = documents.into_iter().collect();
    let folder = tempfile::tempdir()?;
    let task = folder.path().join("task.json");
    fs::write(&task, json!({ "schema": config::schema(), "documents": documents }).to_string())?;
    let script = workspace::root().join("tests/e2e/interop/json_schema.py");
    let output = Command::new(python::environment()?).arg(script).arg(&task).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let judgements: Vec<Option<String>> = serde_json::from_slice(&output.stdout)?;
    assert_eq!(judgements.len(), documents.len());
    Ok(judgements)
}

/// Every configuration of the filter that the repository shows, and where it stands.
fn examples() -> Result<Vec<(String, Value)>> {
    let mut examples = vec![readme_example("filter/README.md")?, readme_example("README.md")?];
    for entry in fs::read_dir(workspace::root().join("envoy"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".yaml") {
            continue;
        }
        let mut shown = None;
        let edited = Document::read(&format!("envoy/{name}"))?.edit_plugin(|plugin| shown = Some(plugin.clone()));
        examples.extend(shown.filter(|_| edited.is_ok()).map(|plugin| (name, plugin)));
    }
    Ok(examples)
}

/// The first JSON example of a file.
fn readme_example(file: &str) -> Result<(String, Value)> {
    let text = fs::read_to_string(workspace::root().join(file))?;
    let example = text.split_once("```json\n").and_then(|(_, rest)| rest.split_once("```")).ok_or("no example")?;
    Ok((file.to_owned(), serde_json::from_str(example.0)?))
}

/// The README's example, which has every setting, with `value` at a pointer; the last member may be new.
fn changed(at: &str, value: &Value) -> Result<Value> {
    let (_, mut document) = readme_example("filter/README.md")?;
    let Some((parent, name)) = at.rsplit_once('/') else { return Ok(value.clone()) };
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => _ = map.insert(name.to_owned(), value.clone()),
        Some(Value::Array(list)) => match name.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
            Some(element) => *element = value.clone(),
            None => list.push(value.clone()),
        },
        Some(scalar) => *scalar = json!({ name: value }),
        None => return Err(format!("nothing at {parent}").into()),
    }
    Ok(document)
}

/// The document without what stands at a pointer, where that is a member of an object.
fn without(document: &Value, at: &str) -> Option<Value> {
    let (parent, name) = at.rsplit_once('/')?;
    let mut document = document.clone();
    document.pointer_mut(parent)?.as_object_mut()?.remove(name)?;
    Some(document)
}

/// Every place of a document, as JSON pointers.
fn places(value: &Value, at: &str) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(index, item)| places(item, &format!("{at}/{index}"))).collect()
        }
        Value::Object(map) => map.iter().flat_map(|(name, item)| places(item, &format!("{at}/{name}"))).collect(),
        _ => Vec::new(),
    };
    std::iter::once(at.to_owned()).chain(below).collect()
}
