//! `s3s-fs`, an S3 server that others wrote, as a second judge of signatures.
//!
//! It checks what moto does not: the date, the hash of the body, and the frames of a body that is streamed. It knows one pair
//! of keys, no session tokens and no policies.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use token::aws_keys::AwsKeys;

use crate::{Result, stand_in::Child, workspace};

/// A running `s3s-fs`, ended when dropped.
#[derive(Debug)]
pub struct S3sFs(Child);

impl S3sFs {
    /// Starts it on a free port of loopback, over an empty folder below `folder`.
    pub async fn start(folder: &Path, keys: &AwsKeys) -> Result<Self> {
        let program = tokio::task::spawn_blocking(built).await??;
        let objects = folder.join("objects");
        fs::create_dir_all(&objects)?;
        let objects = objects.to_string_lossy();
        let arguments = [&*objects, &keys.access_key_id, keys.secret_access_key.expose()];
        Ok(Self(Child::start("s3s-fs", &program, &arguments, &folder.join("s3s-fs.log")).await?))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// The program, with a lock file of its own: its dependencies are none of this project's.
fn built() -> Result<PathBuf> {
    let folder = workspace::target()?.join("tools/s3s-fs");
    let mut command = workspace::cargo();
    command.args(["build", "--quiet", "--locked", "--manifest-path"]);
    command.arg(workspace::root().join("tests/e2e/interop/s3s_fs/Cargo.toml"));
    let output = command.arg("--target-dir").arg(&folder).output()?;
    if output.status.success() {
        return Ok(folder.join("debug/s3s-fs-server"));
    }
    Err(format!("s3s-fs: {}", String::from_utf8_lossy(&output.stderr)).into())
}
