//! docker-compose.yml, driven as a user would: built, started, called, hurt, and taken down.
//!
//! It needs Docker and some minutes, so it runs when asked for: `cargo test --package e2e --test compose`.

mod project;

use std::time::{Duration, Instant};

use harness::{
    Result, client::Client, clouds::cloud::Cloud, container::workload::CALLS, topology::secret_parts,
    upstream::Recorded, wait,
};
use project::Project;
use serde_json::Value;

#[tokio::test]
async fn the_whole_path_runs_as_containers() -> Result<()> {
    let started = Instant::now();
    let project = Project::up()?;
    project.healthy().await?;
    println!("built and healthy after {} s", started.elapsed().as_secs());
    every_cloud_calls_another(&project)?;
    no_native_token_is_found(&project)?;
    the_host_reaches_the_edge(&project).await?;
    nobody_is_root_or_can_write(&project)?;
    each_reaches_only_its_neighbours(&project)?;
    calls_go_on_without_the_sts(&project).await?;
    project.down()
}

fn every_cloud_calls_another(project: &Project) -> Result<()> {
    for (cloud, path) in CALLS {
        let (path, subject) = (format!("{path}/{}", cloud.name()), cloud.spiffe_id(cloud.workload()));
        let answer: Value = serde_json::from_str(&call(project, cloud, &path, true)?)?;
        assert_eq!(answer["subject"], subject, "{answer}");
        let record = project.exec("upstream", &["standin", "get", "http://127.0.0.1:8080/__record"])?;
        let record: Vec<Recorded> = serde_json::from_str(&record)?;
        let arrived: Vec<_> = record.iter().filter(|request| request.path == path).collect();
        assert_eq!(arrived.len(), 1, "{path}");
        for request in arrived {
            assert_eq!(request.header("x-cloakroom-subject"), subject);
            assert_eq!(request.header("x-cloakroom-actor"), "spiffe://cloakroom.test/edge/egress");
            assert!(!request.headers.iter().any(|(name, _)| name == "authorization"), "{:?}", request.headers);
        }
        println!("{:<10} GET {path}: seen as {}", cloud.name(), subject);
    }
    Ok(())
}

fn no_native_token_is_found(project: &Project) -> Result<()> {
    let logs = project.run(&["logs", "--no-color"])?;
    let raw = project.exec("upstream", &["standin", "get", "http://127.0.0.1:8080/__raw"])?;
    assert!(raw.contains("x-cloakroom-subject"), "the upstream's bytes are not what they should be");
    for (cloud, _) in CALLS {
        let token = project.exec("workload", &["cat", &format!("/run/tokens/{}", cloud.name())])?;
        let parts: Vec<_> = secret_parts(token.trim()).collect();
        assert!(parts.len() >= 2, "{} has given no token", cloud.name());
        for part in parts {
            assert!(!raw.contains(part), "the upstream got a part of the token of {}", cloud.name());
            assert!(!logs.contains(part), "a log holds a part of the token of {}", cloud.name());
        }
    }
    Ok(())
}

async fn the_host_reaches_the_edge(project: &Project) -> Result<()> {
    let published = project.run(&["port", "edge", "10000"])?;
    assert!(published.starts_with("127.0.0.1:"), "{published}");
    let health = Client::trusting(None)?.get(&format!("http://{}/health", published.trim()), &[]).await?;
    assert_eq!(health.status, 200);
    let bare = Client::trusting(None)?.get(&format!("http://{}/gcp-reports/x", published.trim()), &[]).await?;
    assert_eq!(bare.status, 401, "a call without a token");
    Ok(())
}

fn nobody_is_root_or_can_write(project: &Project) -> Result<()> {
    for service in project.services()? {
        let known = project.inspect(&service)?;
        assert_eq!(known["HostConfig"]["ReadonlyRootfs"], true, "{service}");
        assert_eq!(known["HostConfig"]["CapDrop"][0], "ALL", "{service}");
        assert_eq!(known["HostConfig"]["SecurityOpt"][0], "no-new-privileges:true", "{service}");
        // Asked of the process itself too, since an image or a flag may undo what the file says.
        let status = project.exec(&service, &["cat", "/proc/1/status"])?;
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        assert_eq!(field("Uid:"), "65532\t65532\t65532\t65532", "{service}");
        assert_eq!(field("CapEff:"), "0000000000000000", "{service}");
        assert_eq!(field("NoNewPrivs:"), "1", "{service}");
        assert!(project.exec(&service, &["touch", "/usr/local/probe"]).is_err(), "{service} can write to its image");
    }
    for (service, folder) in [("workload", "/run/tokens"), ("sts", "/var/lib/cloakroom"), ("sts", "/etc/cloakroom")] {
        let kind = project.exec(service, &["stat", "--file-system", "--format", "%T", folder])?;
        assert_eq!(kind.trim(), "tmpfs", "{service}: {folder}");
    }
    Ok(())
}

fn each_reaches_only_its_neighbours(project: &Project) -> Result<()> {
    let edge = project.address("edge", "workload")?;
    assert!(opens(project, "workload", &edge, 10000), "the workload reaches its edge");
    let far = [
        ("workload", project.address("sts", "edges")?, 8443),
        ("workload", project.address("destination", "edges")?, 10443),
        ("workload", project.address("upstream", "service")?, 8080),
        ("edge", project.address("upstream", "service")?, 8080),
        ("clouds", project.address("edge", "edges")?, 10000),
    ];
    for (service, address, port) in far {
        assert!(!opens(project, service, &address, port), "{service} reaches {address}:{port}");
    }
    Ok(())
}

async fn calls_go_on_without_the_sts(project: &Project) -> Result<()> {
    call(project, Cloud::Aws, "/gcp-reports/before", true)?;
    project.run(&["stop", "sts"])?;
    call(project, Cloud::Aws, "/gcp-reports/cached", false)?;
    let refused = call(project, Cloud::Aws, "/gcp-reports/fresh", true).expect_err("a new token without the STS");
    assert!(refused.to_string().contains("503"), "{refused}");
    project.run(&["start", "sts"])?;
    wait::until("calls work again", Duration::from_secs(60), || async {
        call(project, Cloud::Aws, "/gcp-reports/after", false).ok()
    })
    .await?;
    Ok(())
}

fn call(project: &Project, cloud: Cloud, path: &str, fresh: bool) -> Result<String> {
    let mut command = vec!["standin", "call", "--cloud", cloud.name(), path];
    if fresh {
        command.push("--fresh");
    }
    project.exec("workload", &command)
}

fn opens(project: &Project, service: &str, address: &str, port: u16) -> bool {
    let open = format!("exec 3<>/dev/tcp/{address}/{port}");
    project.exec(service, &["timeout", "2", "bash", "-c", &open]).is_ok()
}
