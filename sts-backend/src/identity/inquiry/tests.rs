use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    identity::fake_issuer::FakeIssuer,
    outgoing::fetch::{self, read_authorities},
};

const NOW: u64 = 1_000_000;
const PATH: &str = "/ask";

pub fn settings(issuer: &FakeIssuer, path: &str, folder: &Path) -> ServerSettings {
    let (file, ca) = (folder.join("credential"), folder.join("server.pem"));
    std::fs::write(&file, "our-credential\n").unwrap();
    std::fs::write(&ca, &issuer.ca_pem).unwrap();
    ServerSettings {
        address: format!("{}{path}", issuer.url).parse().unwrap(),
        credential: Credential::Bearer { file },
        ca: Some(ca),
        allow_private_addresses: true,
        timeout: Duration::from_secs(20),
        remember: 0,
    }
}

struct World {
    issuer: FakeIssuer,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self { issuer: FakeIssuer::start().await, folder: tempfile::tempdir().unwrap() }
    }

    fn inquiry(&self, change: impl FnOnce(&mut ServerSettings)) -> Arc<Inquiry<String>> {
        let mut settings = settings(&self.issuer, PATH, self.folder.path());
        change(&mut settings);
        Arc::new(Inquiry::new("test", settings, read_authorities(self.issuer.ca_pem.as_bytes()).unwrap()).unwrap())
    }
}

fn question() -> Question {
    Question {
        content_type: "text/plain",
        body: "what of it".into(),
        answered: StatusCode::OK,
        permission: "to ask anything",
    }
}

async fn ask(inquiry: &Inquiry<String>, token: &str, now: u64) -> Result<String, Refusal> {
    let judge = |answer: &[u8]| match answer {
        b"no" => Ok(Err(Refusal::new(Reason::SubjectRevoked, "no"))),
        b"" => Err(Trouble::Answer("an answer")),
        answer => Ok(Ok(String::from_utf8_lossy(answer).into_owned())),
    };
    inquiry.ask(&Secret::new(token), now, question(), judge).await
}

/// The cause of a refusal that says nothing of the token.
async fn trouble(inquiry: &Inquiry<String>) -> (String, String) {
    let refusal = ask(inquiry, "the-token", NOW).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::ReviewUnavailable, "{refusal:?}");
    assert!(refusal.claim_name().is_some() && refusal.wanted_value().is_some());
    let text = format!("{refusal:?}");
    assert!(!text.contains("the-token") && !text.contains("our-credential"), "{text}");
    (refusal.got_value().unwrap().to_owned(), refusal.advice().unwrap().to_owned())
}

#[tokio::test]
async fn the_server_is_asked_with_our_credential_as_it_is_now() {
    let world = World::new().await;
    world.issuer.serve(PATH, "yes");
    let inquiry = world.inquiry(|_| ());
    assert_eq!(ask(&inquiry, "t", NOW).await.unwrap(), "yes");
    std::fs::write(world.folder.path().join("credential"), "a-newer-one").unwrap();
    ask(&inquiry, "t", NOW).await.unwrap();
    let asked = world.issuer.asked(PATH);
    assert_eq!(asked.len(), 2);
    assert_eq!((&asked[0].method, &asked[0].body[..]), (&http::Method::POST, &b"what of it"[..]));
    assert_eq!(asked[0].headers["accept"], "application/json");
    assert_eq!(asked[0].headers["content-type"], "text/plain");
    assert_eq!(asked[0].headers["authorization"], "Bearer our-credential");
    assert_eq!(asked[1].headers["authorization"], "Bearer a-newer-one");
}

#[tokio::test]
async fn an_answer_is_remembered_for_its_seconds_and_trouble_never_is() {
    let world = World::new().await;
    let inquiry = world.inquiry(|settings| settings.remember = 5);
    for (token, answer) in [("good", "yes"), ("bad", "no")] {
        world.issuer.serve(PATH, answer);
        let before = world.issuer.hits(PATH);
        let first = ask(&inquiry, token, NOW).await;
        assert_eq!(ask(&inquiry, token, NOW + 4).await, first);
        assert_eq!(world.issuer.hits(PATH), before + 1);
        assert_eq!(ask(&inquiry, token, NOW + 5).await, first);
        assert_eq!(world.issuer.hits(PATH), before + 2);
    }
    world.issuer.serve_with(PATH, StatusCode::BAD_GATEWAY, &[], "");
    assert!(ask(&inquiry, "third", NOW).await.is_err());
    world.issuer.serve(PATH, "yes");
    assert_eq!(ask(&inquiry, "third", NOW).await.unwrap(), "yes");
}

#[tokio::test]
async fn what_is_no_answer_is_the_servers_trouble_and_says_what_to_do() {
    let world = World::new().await;
    let inquiry = world.inquiry(|_| ());
    for (status, words) in [
        (StatusCode::UNAUTHORIZED, "credentials that the server accepts"),
        (StatusCode::FORBIDDEN, "to ask anything"),
        (StatusCode::NOT_FOUND, "reached at this address"),
        (StatusCode::TOO_MANY_REQUESTS, "raise its limits"),
        (StatusCode::INTERNAL_SERVER_ERROR, "is up"),
        (StatusCode::CREATED, "is up"),
        (StatusCode::NO_CONTENT, "is up"),
    ] {
        world.issuer.serve_with(PATH, status, &[], "yes");
        let (got, help) = trouble(&inquiry).await;
        assert!(got.contains(status.as_str()) && help.contains(words), "{got}: {help}");
    }
    world.issuer.serve_with(PATH, StatusCode::OK, &[("content-type", "text/html")], "yes");
    assert!(trouble(&inquiry).await.0.contains("application/json"));
    world.issuer.serve(PATH, "");
    assert!(trouble(&inquiry).await.0.contains("not an answer"));
    world.issuer.serve(PATH, "x".repeat(fetch::DOCUMENT.body + 1));
    assert!(trouble(&inquiry).await.0.contains("more than"));
}

#[test]
fn only_json_is_an_answer() {
    for (media_type, json) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/token-introspection+jwt", false),
        ("text/html", false),
        ("", false),
    ] {
        assert_eq!(is_json(media_type), json, "{media_type}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let elsewhere = format!("{}/elsewhere", world.issuer.url);
    world.issuer.serve("/elsewhere", "yes");
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT] {
        world.issuer.serve_with(PATH, status, &[("location", &elsewhere)], "");
        assert!(trouble(&world.inquiry(|_| ())).await.0.contains(status.as_str()));
    }
    assert_eq!(world.issuer.hits("/elsewhere"), 0);
}

#[tokio::test]
async fn nothing_is_shown_to_a_server_that_must_not_be_reached_or_is_another() {
    let world = World::new().await;
    world.issuer.serve(PATH, "yes");
    let port = world.issuer.url.rsplit_once(':').unwrap().1.to_owned();
    let private = world.inquiry(|settings| settings.allow_private_addresses = false);
    assert!(trouble(&private).await.0.contains("private"));
    let named = world.inquiry(|settings| {
        settings.address = format!("https://localhost:{port}{PATH}").parse().unwrap();
        settings.allow_private_addresses = false;
    });
    assert!(trouble(&named).await.0.contains("resolves to"));
    let plain = world.inquiry(|settings| settings.address = "http://127.0.0.1:1/ask".parse().unwrap());
    assert!(trouble(&plain).await.0.contains("not an https URI"));
    let other = FakeIssuer::start().await;
    let settings = settings(&world.issuer, PATH, world.folder.path());
    let impostor = Inquiry::new("test", settings, read_authorities(other.ca_pem.as_bytes()).unwrap()).unwrap();
    trouble(&impostor).await;
    let nameless = world.inquiry(|_| ());
    std::fs::remove_file(world.folder.path().join("credential")).unwrap();
    assert!(trouble(&nameless).await.0.contains("credential"));
    assert_eq!(world.issuer.hits(PATH), 0);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let world = World::new().await;
    world.issuer.serve(PATH, "yes");
    let gate = world.issuer.hold();
    let inquiry = world.inquiry(|settings| settings.timeout = Duration::from_millis(50));
    assert!(trouble(&inquiry).await.0.contains("within 50 ms"));
    gate.add_permits(100);
}

#[tokio::test]
async fn open_questions_are_bounded_and_so_is_the_queue() {
    let world = World::new().await;
    world.issuer.serve(PATH, "yes");
    let gate = world.issuer.hold();
    let inquiry = world.inquiry(|_| ());
    let asks: Vec<_> = (0..ROOM)
        .map(|number| {
            let inquiry = Arc::clone(&inquiry);
            tokio::spawn(async move { ask(&inquiry, &format!("t{number}"), NOW).await })
        })
        .collect();
    while inquiry.bulkhead.free().0 > 0 || world.issuer.hits(PATH) < ASKING {
        tokio::task::yield_now().await;
    }
    let (got, help) = trouble(&inquiry).await;
    assert!(got.contains("other tokens wait") && help.contains("raise its limits"), "{got}: {help}");
    assert_eq!(world.issuer.hits(PATH), ASKING);
    gate.add_permits(1000);
    for ask in asks {
        assert_eq!(ask.await.unwrap().unwrap(), "yes");
    }
    assert_eq!(ask(&inquiry, "one more", NOW).await.unwrap(), "yes");
}

#[tokio::test]
async fn who_hangs_up_gives_the_place_back() {
    let world = World::new().await;
    world.issuer.serve(PATH, "yes");
    let gate = world.issuer.hold();
    let inquiry = world.inquiry(|_| ());
    let waiting = tokio::spawn({
        let inquiry = Arc::clone(&inquiry);
        async move { ask(&inquiry, "t", NOW).await }
    });
    while world.issuer.hits(PATH) == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(inquiry.bulkhead.free(), (ROOM, ASKING));
    gate.add_permits(100);
}
