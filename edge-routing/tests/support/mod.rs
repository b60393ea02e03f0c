//! Reads the text files of the corpus.

use std::fs;
use std::path::PathBuf;

use edge_routing::{RouteSpec, Sample};

/// One case of a file.
#[derive(Debug)]
pub(crate) struct Case {
    /// The file and line.
    pub(crate) place: String,
    /// The message that is met.
    pub(crate) message: Sample,
    /// The condition or route.
    pub(crate) text: String,
    /// What stands behind `=>`.
    pub(crate) expected: String,
}

/// The text files of a folder of the corpus, in order.
pub(crate) fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder exists")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

/// All cases of the files in a folder.
pub(crate) fn cases(folder: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, text) in files(folder) {
        let mut message = Sample::new("/messages");
        for (number, line) in lines(&text) {
            let place = format!("{}:{number}", path.display());
            if let Some((text, expected)) = line.rsplit_once(" => ") {
                let text = text.replace("`\\n`", "\n").replace("`\\t`", "\t").replace("`\\r`", "\r");
                cases.push(Case { place, message: message.clone(), text, expected: expected.to_owned() });
            } else {
                message = part(message, line).unwrap_or_else(|| panic!("{place}: not understood: {line}"));
            }
        }
    }
    cases
}

/// Route sets, each with its messages and the deliveries expected.
pub(crate) fn sets() -> Vec<(String, Vec<RouteSpec>, Vec<Case>)> {
    let mut sets = Vec::new();
    for (path, text) in files("sets") {
        let mut specs = Vec::new();
        let mut cases = Vec::new();
        let mut message = Sample::new("/messages");
        for (number, line) in lines(&text) {
            let place = format!("{}:{number}", path.display());
            if let Some(route) = line.strip_prefix("route ") {
                specs.push(spec(route));
            } else if let Some(expected) = line.strip_prefix("=> ") {
                cases.push(Case {
                    place,
                    message: message.clone(),
                    text: String::new(),
                    expected: expected.to_owned(),
                });
            } else {
                message = part(message, line).unwrap_or_else(|| panic!("{place}: not understood: {line}"));
            }
        }
        sets.push((path.display().to_string(), specs, cases));
    }
    sets
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
}

fn spec(line: &str) -> RouteSpec {
    let (head, text) = line.split_once(": ").expect("a colon behind the name");
    let mut words = head.split_whitespace();
    let mut spec = RouteSpec::new(words.next().expect("a name"), text);
    for word in words {
        spec = match word.strip_prefix("ttl=") {
            Some(secs) => spec.with_time_to_live_secs(secs.parse().expect("seconds")),
            None => spec.with_priority(word.parse().expect("a priority")),
        };
    }
    spec
}

fn part(message: Sample, line: &str) -> Option<Sample> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let pair = || rest.split_once(" = ").map_or((rest, None), |(name, value)| (name, Some(value)));
    let typed = |message: Sample, encoding: &str, body: Vec<u8>| {
        message
            .with_body(body)
            .with_system_property("contentType", Some("application/json"))
            .with_system_property("contentEncoding", Some(encoding))
    };
    Some(match word {
        "source" => Sample::new(rest),
        "property" => message.with_property(pair().0, pair().1),
        "system" => message.with_system_property(pair().0, pair().1),
        "json" => message.with_json(rest),
        "utf16" => typed(message, "UTF-16", rest.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf32" => typed(message, "utf-32", rest.chars().flat_map(|c| (c as u32).to_le_bytes()).collect()),
        "body" => message.with_body(rest),
        _ => return None,
    })
}
