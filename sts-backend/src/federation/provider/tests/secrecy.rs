//! What a provider gives is shown to nobody but its caller.

use std::io::Write;

use super::*;

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_and_no_debug_print_shows_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Another thread may have come by the same line at the very moment when nobody listened yet.
    tracing::callsite::rebuild_interest_cache();
    let shop = Shop::open().await;
    let lent = shop.lend(1, wish(NOW)).await.unwrap();
    for status in [StatusCode::BAD_REQUEST, StatusCode::BAD_GATEWAY, StatusCode::TOO_MANY_REQUESTS] {
        shop.says(status);
        tracing::callsite::rebuild_interest_cache();
        _ = shop.lend(usize::from(status.as_u16()), wish(NOW)).await;
    }
    let shown = format!("{lent:?} {:?} {:?}", shop.key(1), shop.provider.state().shelf);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("gave no credential") && logged.contains("spiffe://td.test/w400"), "{logged}");
    for text in [shown, logged] {
        assert!(!text.contains(TOKEN) && !text.contains(ASSERTION), "{text}");
    }
}
