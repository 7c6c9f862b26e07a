//! The README's guided tour, run as a newcomer would run it: every shell block in order, in one shell, against the demo.

use std::{fs, process::Command, time::Duration};

use harness::{Result, process::Process, wait, workspace};

/// A shell block and the lines that must be found in what it prints.
struct Step {
    script: String,
    expected: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guided_tour_works_as_written() -> Result<()> {
    let _alone = crate::demo::ONE_AT_A_TIME.lock().await;
    let root = workspace::root();
    let steps = steps(&fs::read_to_string(root.join("README.md"))?);
    assert!(steps.len() > 5, "the tour has shrunk to {} steps", steps.len());
    let folder = tempfile::tempdir()?;
    let demo = Process::start("the demo", Command::new(env!("CARGO_BIN_EXE_demo")), &folder.path().join("said"))?;
    wait::until("the demo says what to try", Duration::from_secs(120), || async {
        demo.log().contains("Ctrl-C ends everything").then_some(())
    })
    .await?;

    let mut script = String::from("set -e\n");
    for (index, step) in steps.iter().enumerate() {
        script.push_str(&format!("{}\nprintf '\\n{MARK} {index}\\n'\n", step.script));
    }
    let output = Command::new("bash").arg("-c").arg(&script).current_dir(root).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{printed}\n{told}", output.status);
    let mut rest = printed.as_str();
    for (index, step) in steps.iter().enumerate() {
        let (own, after) = rest.split_once(&format!("{MARK} {index}\n")).unwrap_or((rest, ""));
        for line in &step.expected {
            assert!(own.contains(line), "`{line}` is not in what this printed:\n{}\n---\n{own}\n{told}", step.script);
        }
        rest = after;
    }
    Ok(())
}

/// The blocks between the tour's heading and the next one.
fn steps(readme: &str) -> Vec<Step> {
    let tour = readme.split_once("\n## Five minutes\n").map_or("", |(_, rest)| rest);
    let tour = tour.split("\n## ").next().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    for block in tour.split("```").skip(1).step_by(2) {
        match (block.strip_prefix("sh\n"), block.strip_prefix("text\n"), steps.last_mut()) {
            (Some(script), ..) => steps.push(Step { script: script.into(), expected: Vec::new() }),
            (_, Some(text), Some(step)) => step.expected.extend(text.lines().map(str::to_owned)),
            _ => panic!("a block of the tour is neither `sh` nor `text`: {block}"),
        }
    }
    steps
}

const MARK: &str = "=== end of step";
