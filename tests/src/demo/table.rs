//! The demo's table.

use super::calls::Line;

/// All lines under a heading, columns as wide as they need to be.
pub fn render(lines: &[Line]) -> String {
    let mut rows = vec![HEADING.map(str::to_owned)];
    rows.extend(lines.iter().map(row));
    let widths: Vec<_> = (0..HEADING.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text =
        String::from("          what the workload sent                                    what the service was told\n");
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
        if index == 0 {
            let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rule.join("  "));
            text.push('\n');
        }
    }
    text.push_str(
        "\nsub and act stand for spiffe://cloakroom.test/..., aud for https://..., long ids are cut (`..`).\n",
    );
    text
}

fn row(line: &Line) -> [String; 10] {
    let token = match line.exchanges {
        0 => "cache hit".to_owned(),
        1 => "STS call".to_owned(),
        calls => format!("{calls} STS calls"),
    };
    let verdict = if line.wrong.is_empty() { "ok".to_owned() } else { format!("WRONG: {}", line.wrong.join("; ")) };
    [
        line.route.to_owned(),
        short(line.cloud.issuer().trim_start_matches("https://").trim_end_matches('/')),
        short(&line.inbound_subject),
        short(line.subject.trim_start_matches("spiffe://cloakroom.test/")),
        line.actor.trim_start_matches("spiffe://cloakroom.test/").to_owned(),
        line.audience.trim_start_matches("https://").to_owned(),
        if line.scope.is_empty() { "-".to_owned() } else { line.scope.clone() },
        format!("{} s", line.seconds_to_live),
        format!("{token}, {:.1} ms", line.elapsed.as_secs_f64() * 1e3),
        verdict,
    ]
}

/// Long ids say less than their first digits.
fn short(text: &str) -> String {
    let mut shortened = String::new();
    for part in text.split_inclusive(['/', '.', ':']) {
        let name = part.trim_end_matches(['/', '.', ':']);
        if name.len() >= 20 && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            shortened.push_str(&name[..6]);
            shortened.push_str("..");
            shortened.push_str(&part[name.len()..]);
        } else {
            shortened.push_str(part);
        }
    }
    shortened
}

const HEADING: [&str; 10] =
    ["route", "issuer", "subject", "sub", "act", "aud", "scope", "to live", "token from, time", ""];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_cut_and_names_are_not() {
        assert_eq!(
            short("login.microsoftonline.com/5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42/v2.0"),
            "login.microsoftonline.com/5f1f2b../v2.0"
        );
        assert_eq!(short("arn:aws:iam::123456789012:role/app-role"), "arn:aws:iam::123456789012:role/app-role");
    }
}
