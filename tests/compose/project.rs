//! One compose project under a name of its own, taken down whatever happens.

use std::{
    process::{Command, Output},
    time::Duration,
};

use harness::{Result, process::tail, wait, workspace};
use serde_json::Value;

/// A running project. Dropping it removes its containers, networks, volumes and images.
pub struct Project {
    name: String,
    plugin: bool,
}

impl Project {
    /// Builds the images and starts every service of docker-compose.yml.
    pub fn up() -> Result<Self> {
        let images = Command::new("bash").arg("tests/docker/base-images.sh").current_dir(workspace::root()).status()?;
        if !images.success() {
            return Err("the base images could not be provided".into());
        }
        let plugin =
            Command::new("docker").args(["compose", "version"]).output().is_ok_and(|output| output.status.success());
        let mut random = [0; 4];
        aws_lc_rs::rand::fill(&mut random)?;
        let name = format!("cloakroom-test-{:08x}", u32::from_ne_bytes(random));
        let project = Self { name, plugin };
        let status = project.compose(&["up", "--build", "--detach"]).status()?;
        if status.success() { Ok(project) } else { Err(project.failure("docker-compose up failed")) }
    }

    /// The names of the services.
    pub fn services(&self) -> Result<Vec<String>> {
        Ok(self.run(&["config", "--services"])?.lines().map(ToOwned::to_owned).collect())
    }

    /// Waits until every service's health check passes.
    pub async fn healthy(&self) -> Result<()> {
        for service in self.services()? {
            let what = format!("{service} is healthy");
            let healthy = wait::until(&what, Duration::from_secs(120), || async {
                let state = self.inspect(&service).ok()?;
                (state.pointer("/State/Health/Status")?.as_str()? == "healthy").then_some(())
            });
            if let Err(error) = healthy.await {
                return Err(self.failure(&error.to_string()));
            }
        }
        Ok(())
    }

    /// What Docker knows of a service's container.
    pub fn inspect(&self, service: &str) -> Result<Value> {
        let container = self.run(&["ps", "--quiet", service])?;
        let text = finished(Command::new("docker").args(["inspect", container.trim()]).output()?)?;
        let mut all: Value = serde_json::from_str(&text)?;
        Ok(all.get_mut(0).ok_or("docker inspect gave nothing")?.take())
    }

    /// A service's address on a network of the project.
    pub fn address(&self, service: &str, network: &str) -> Result<String> {
        let known = self.inspect(service)?;
        let path = format!("/NetworkSettings/Networks/{}_{network}/IPAddress", self.name);
        Ok(known.pointer(&path).and_then(Value::as_str).ok_or(format!("{service} is not on {network}"))?.into())
    }

    /// Runs a command in a service's container.
    pub fn exec(&self, service: &str, command: &[&str]) -> Result<String> {
        self.run(&[&["exec", "-T", service], command].concat())
    }

    /// Runs a compose command and returns what it prints.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        finished(self.compose(arguments).output()?)
            .map_err(|error| format!("docker-compose {}: {error}", arguments.join(" ")).into())
    }

    /// How many containers, networks and volumes of the project there are.
    fn remains(&self) -> Result<usize> {
        let label = format!("label=com.docker.compose.project={}", self.name);
        let lists: [&[&str]; 3] = [&["ps", "--all"], &["network", "ls"], &["volume", "ls"]];
        let mut count = 0;
        for list in lists {
            let found = Command::new("docker").args(list).args(["--quiet", "--filter", &label]).output()?;
            count += finished(found)?.lines().count();
        }
        Ok(count)
    }

    /// Takes it down, and fails if anything of it is left.
    pub fn down(self) -> Result<()> {
        self.run(&["down", "--volumes", "--rmi", "all", "--remove-orphans"])?;
        match self.remains()? {
            0 => Ok(()),
            left => Err(format!("`down` left {left} containers, networks or volumes of {}", self.name).into()),
        }
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = if self.plugin { Command::new("docker") } else { Command::new("docker-compose") };
        if self.plugin {
            command.arg("compose");
        }
        // Images of its own, so that two checkouts may run this at once, and a port that Docker chooses.
        command.env("CLOAKROOM_TAG", &self.name).env("CLOAKROOM_EDGE_PORT", "0");
        command.args(["--project-name", &self.name]).args(arguments).current_dir(workspace::root());
        command.stdin(std::process::Stdio::null());
        command
    }

    fn failure(&self, what: &str) -> harness::Error {
        let logs = self.run(&["logs", "--no-color", "--tail", "20"]).unwrap_or_else(|error| error.to_string());
        let states = self.run(&["ps"]).unwrap_or_default();
        format!("{what}\n{states}\n{}", tail(&logs, 120)).into()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.remains().unwrap_or(1) > 0 {
            _ = self.compose(&["down", "--volumes", "--rmi", "all", "--remove-orphans"]).output();
        }
    }
}

fn finished(output: Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{}{}", tail(&text, 20), tail(&String::from_utf8_lossy(&output.stderr), 20)).into())
}
