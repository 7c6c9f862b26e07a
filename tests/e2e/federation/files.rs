//! The files of a topology with destinations in every cloud, by the judgement of those that read them.

use std::{path::Path, process::Command};

use harness::{
    Result,
    artefact::{self, Progress},
    bootstrap::Document,
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn our_own_judge_accepts_routes_to_every_cloud_and_refuses_a_signature_over_another_place() -> Result<()> {
    let mut routes = CloudRoute::usual();
    routes.extend([CloudRoute::aws_table(), CloudRoute::aws_queue()]);
    let topology = Plan::default().reading_bodies().clouds(None, cloud_routes::providers(), routes).start().await?;
    let cloakroom = artefact::build(Progress::Kept)?.cloakroom;
    let judge = |egress: &Path| {
        let mut command = Command::new(&cloakroom);
        let output =
            command.arg("validate").arg("-c").arg(topology.sts.config()).arg("--envoy").arg(egress).output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok::<_, harness::Error>((output.status.success(), said))
    };
    let shipped = topology.pki.folder().join("egress.json");
    let (accepted, said) = judge(&shipped)?;
    assert!(accepted, "{said}");

    let egress: Value = serde_json::from_slice(&std::fs::read(&shipped)?)?;
    let other_prefix = json!({"match": "/aws-bucket/", "to": "/team-b/"});
    for (member, value) in [("host", json!("ledger.s3.eu-central-1.amazonaws.com")), ("prefix_rewrite", other_prefix)] {
        let mut document = Document(egress.clone());
        document.edit_plugin(|plugin| plugin["routes"]["aws-bucket"]["exchange"]["inject"]["sigv4"][member] = value)?;
        let path = topology.folder().join("other.json");
        document.write(&path)?;
        let (accepted, said) = judge(&path)?;
        assert!(!accepted && said.contains(&format!("route.{member}")) && said.contains("signed"), "{member}: {said}");
    }
    Ok(())
}
