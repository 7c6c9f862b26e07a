//! Requests that wait for a provider, each for as long as it can.

use super::*;

#[tokio::test]
async fn a_proxy_is_answered_while_it_waits_and_finds_what_came_later() {
    let scene = Scene::start().await;
    let gate = scene.provider.hold();
    let started = Instant::now();
    let refusal = scene.refusal("bucket", None).await;
    assert!((400..700).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    assert_eq!(
        (refusal.reason(), refusal.got_value()),
        (Reason::ProviderUnavailable, Some("an order that is under way"))
    );
    // What was spent before counts too.
    let form = scene.request("bucket", None).to_form();
    let late = Message { received: started, ..message(form.as_bytes(), Some("1")) };
    let asked = Instant::now();
    assert!(scene.exchange.exchange(&proxy(), late, NOW).await.is_err());
    assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    gate.add_permits(9);
    let released = loop {
        if let Ok(released) = scene.ask("bucket", None).await {
            break released;
        }
        assert!(started.elapsed() < Duration::from_secs(5));
    };
    assert_eq!(released.response().access_token.expose(), TOKEN);
    assert!(!scene.world.last_leaf().await.reissued, "nobody had it before");
    assert_eq!(scene.hits(), 1);
}

#[tokio::test]
async fn requests_that_overtake_each_other_share_what_comes() {
    let scene = Scene::start().await;
    let gate = scene.provider.hold();
    let request = scene.request("bucket", None);
    let overtaken = async {
        while scene.hits() == 0 {
            tokio::task::yield_now().await;
        }
        let (asked, ()) = tokio::join!(scene.ask_at(&request, NOW, false), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            gate.add_permits(9);
        });
        asked
    };
    let (later, earlier) = tokio::join!(scene.ask_at(&request, NOW + 2, false), overtaken);
    let of = |released: &Released| {
        let response = released.response();
        (response.access_token.clone(), response.expires_in, response.credential_expires_in)
    };
    assert_eq!(of(&later.unwrap()), (Secret::new(TOKEN), 60, Some(900)));
    assert_eq!(of(&earlier.unwrap()), (Secret::new(TOKEN), 60, Some(902)));
    scene.ask_at(&request, NOW + 1, false).await.unwrap();
    assert_eq!(scene.hits(), 1);
}

#[tokio::test]
async fn a_wait_is_no_part_of_the_loan() {
    let scene = Scene::start().await;
    let gate = scene.provider.hold();
    let subject_token = Secret::new(scene.world.subject_token(json!({"exp": NOW + 30})));
    let form = ExchangeRequest { subject_token, ..scene.request("open", None) }.to_form();
    // A caller for itself waits for longer.
    let (released, ()) =
        tokio::join!(scene.exchange.exchange(&Caller::Direct, message(form.as_bytes(), None), NOW), async {
            tokio::time::sleep(Duration::from_millis(1_050)).await;
            gate.add_permits(9);
        });
    let (released, leaf) = (released.unwrap(), scene.world.last_leaf().await);
    assert!((27..=29).contains(&released.response().expires_in), "{}", released.response().expires_in);
    assert_eq!(leaf.exp, Some(NOW + 30), "never past the end of the workload's own token");
}
