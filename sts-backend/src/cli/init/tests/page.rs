//! The examples of `docs/init.md`, run.

use super::{options, run};

const PAGE: &str = include_str!("../../../../docs/init.md");

/// The words of a line as a shell has them; nothing but single quotation marks is in these.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

#[test]
fn the_page_shows_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloakroom.yaml");
    std::fs::write(&file, crate::fixture::EXAMPLE).unwrap();
    let mut printed = None;
    let mut compared = 0;
    for (index, block) in PAGE.split("```").enumerate().filter(|(index, _)| index % 2 == 1) {
        let (_, text) = block.split_once('\n').unwrap();
        match text.strip_prefix("cloakroom init ") {
            Some(line) => {
                let line =
                    words(line.trim_end().replace("-c cloakroom.yaml", &format!("-c {}", file.display())).as_str());
                let line: Vec<_> = line.iter().map(String::as_str).collect();
                printed = Some(run(&options(&line)).unwrap_or_else(|error| panic!("{error}")));
            }
            None => {
                let printed = printed.as_ref().unwrap();
                assert!(printed.contains(text), "block {index}\n{text}\nis not in\n{printed}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 5);
}

#[test]
fn the_page_names_every_option() {
    use clap::CommandFactory;
    for argument in super::Program::command().get_arguments() {
        let long = argument.get_long().unwrap();
        assert!(PAGE.contains(&format!("--{long}")) || argument.get_short() == Some('c'), "--{long}");
    }
}
