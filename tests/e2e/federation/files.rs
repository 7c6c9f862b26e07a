//! The files of a topology with destinations in every cloud, by the judgement of those that read them.

use std::process::Command;

use harness::{
    Result,
    artefact::{self, Progress},
    topology::Plan,
};

#[tokio::test(flavor = "multi_thread")]
async fn our_own_judge_accepts_routes_to_every_cloud() -> Result<()> {
    let topology = Plan::default().usual_clouds().start().await?;
    let judge = artefact::build(Progress::Kept)?.cloakroom;
    let egress = topology.pki.folder().join("egress.json");
    let output =
        Command::new(judge).arg("validate").arg("-c").arg(topology.sts.config()).arg("--envoy").arg(egress).output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    Ok(())
}
