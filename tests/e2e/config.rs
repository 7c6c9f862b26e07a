//! The shipped files are right by the judgement of those that read them, and wrong ones are refused with words that help.

use std::process::Command;

use harness::{
    Result,
    artefact::{self, Progress},
    bootstrap::{Document, Placement},
    envoy,
    pki::Pki,
    topology::Plan,
    workspace,
};
use serde_json::{Value, json};

/// A change that makes a configuration wrong.
type Edit = fn(&mut Value);

const FILES: [&str; 3] = ["envoy/egress.yaml", "envoy/destination.yaml", "envoy/https-app.yaml"];

#[tokio::test(flavor = "multi_thread")]
async fn envoy_itself_accepts_every_shipped_bootstrap() -> Result<()> {
    let artefacts = artefact::build(Progress::Kept)?;
    let envoy = envoy::find(Progress::Kept)?;
    let folder = tempfile::tempdir()?;
    let pki = Pki::create(&folder.path().join("etc"))?;
    let filter = artefacts.filter.parent().ok_or("the filter has no folder")?.to_string_lossy().into_owned();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let placement = Placement {
        folders: vec![
            ("/etc/cloakroom", pki.folder().to_string_lossy().into_owned()),
            ("/run/cloakroom", at("run")),
            ("/usr/local/lib/cloakroom", filter),
        ],
        ..Placement::default()
    };
    for file in FILES {
        let mut document = Document::read(file)?;
        document.place(&placement);
        let path = folder.path().join("bootstrap.json");
        document.write(&path)?;
        envoy::validate(&envoy, &path).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_judge_accepts_every_shipped_bootstrap_and_refuses_unsafe_ones() -> Result<()> {
    let artefacts = artefact::build(Progress::Kept)?;
    let judge = |file: &std::path::Path| {
        let output = Command::new(&artefacts.cloakroom).arg("validate").arg("--envoy").arg(file).output()?;
        Ok::<_, harness::Error>((
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        ))
    };
    for file in FILES {
        let (accepted, said) = judge(&workspace::root().join(file))?;
        assert!(accepted, "{file}: {said}");
    }
    let folder = tempfile::tempdir()?;
    let unsafe_edits: [(&str, Edit); 4] = [
        ("FAIL_OPEN", |wasm| wasm["failure_policy"] = json!("FAIL_OPEN")),
        ("allow_on_headers_stop_iteration", |wasm| wasm["allow_on_headers_stop_iteration"] = json!(true)),
        ("expire", |wasm| *wasm = edited_plugin(wasm, |plugin| plugin["defaults"]["expire"] = json!(5))),
        ("nowhere", |wasm| {
            *wasm = edited_plugin(wasm, |plugin| {
                plugin["routes"]["gcp-reports"]["exchange"]["clusters"] = json!(["nowhere"])
            });
        }),
    ];
    for (named, edit) in unsafe_edits {
        let mut document = Document::read("envoy/egress.yaml")?;
        let wasm =
            "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        edit(document.0.pointer_mut(wasm).ok_or("the filter is not where it was")?);
        let path = folder.path().join("unsafe.yaml");
        document.write(&path)?;
        let (accepted, said) = judge(&path)?;
        assert!(!accepted && said.contains(named), "{named}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_does_not_start_with_a_wrong_filter_configuration_and_the_log_says_where() -> Result<()> {
    let cases: [(Edit, &[&str]); 3] = [
        (|plugin| plugin["sts"]["timeout_ms"] = json!("fast"), &["sts.timeout_ms", "fast"]),
        (|plugin| plugin["routes"]["gcp-reports"]["exchange"]["resorce"] = json!("x"), &["gcp-reports", "resorce"]),
        (|plugin| plugin["routes"]["gcp-reports"]["exchange"]["clusters"] = json!([]), &["gcp-reports", "clusters"]),
    ];
    for (edit, named) in cases {
        let Err(error) = Plan::default().plugin(edit).start().await else { return Err("Envoy started".into()) };
        let said = error.to_string();
        assert!(said.contains("the egress edge ended"), "{said}");
        assert!(named.iter().all(|word| said.contains(word)) && said.contains("expected"), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sts_does_not_start_without_an_audience_of_its_own() -> Result<()> {
    let plan = Plan::default().sts(|config| {
        if let Some(source) = config["sources"][0].as_object_mut() {
            source.remove("audience");
        }
    });
    let Err(error) = plan.start().await else { return Err("the STS started".into()) };
    let said = error.to_string();
    assert!(said.contains("the STS ended") && said.contains("audience"), "{said}");
    Ok(())
}

fn edited_plugin(wasm: &Value, edit: impl FnOnce(&mut Value)) -> Value {
    let mut wasm = wasm.clone();
    let text = wasm["configuration"]["value"].as_str().unwrap_or_default();
    let mut plugin: Value = serde_json::from_str(text).unwrap_or_default();
    edit(&mut plugin);
    wasm["configuration"]["value"] = json!(plugin.to_string());
    wasm
}
