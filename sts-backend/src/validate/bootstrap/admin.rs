//! The admin interface: it shows configuration and memory, and stops the proxy.

use std::net::IpAddr;

use super::{At, Report};

pub(super) fn check(root: &At<'_>, report: &mut Report<'_>) {
    let address = root.follow("admin.address");
    let socket = address.follow("socket_address.address");
    let loopback = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if socket.exists() && !socket.text().is_some_and(loopback) {
        let remedy = "whoever reaches it can read what the proxy holds and stop it";
        report.wrong(&socket, socket.shown(), "a loopback address or a pipe", remedy);
    }
}
