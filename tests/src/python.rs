//! Clients and servers that others wrote in Python, in a virtual environment below `target/`.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use crate::{Result, workspace};

/// Pinned: an upgrade is a decision. Of moto's server only the services that are asked for: all of them install three times as
/// long.
const PACKAGES: [&str; 11] = [
    "google-auth==2.62.2",
    "requests==2.32.5",
    "Authlib==1.9.9",
    "azure-identity==1.27.0",
    "boto3==1.44.5",
    "botocore==1.44.5",
    "jsonschema==4.26.0",
    "moto[dynamodb,s3,sqs]==5.2.5",
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "werkzeug==3.1.9",
];

/// The environment's Python, with the pinned packages. It is made once.
pub fn environment() -> Result<PathBuf> {
    let tools = workspace::target()?.join("tools");
    fs::create_dir_all(&tools)?;
    let lock = File::create(tools.join("python.lock"))?;
    lock.lock()?;
    let folder = tools.join("python-clients");
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    succeed(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
    )?;
    fs::write(done, wanted)?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
