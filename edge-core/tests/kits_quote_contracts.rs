//! Each sentence of a contract is quoted by a case, and each quotation stands in the trait's file.

/// Returns text with its markdown marks and line breaks taken off.
fn plain(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !matches!(c, '[' | ']' | '`')).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the documentation of a file as plain text.
fn docs(source: &str) -> String {
    let lines = source.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    plain(&lines.collect::<Vec<_>>().join(" "))
}

/// Returns the bullets of the contract in a trait's file.
fn contract(source: &str) -> Vec<String> {
    let mut bullets: Vec<String> = Vec::new();
    let lines = source.lines().skip_while(|line| *line != "/// # Contract").skip(1);
    for line in lines.map_while(|line| line.strip_prefix("///")).take_while(|line| !line.trim().is_empty()) {
        match line.strip_prefix(" - ") {
            Some(first) => bullets.push(first.to_owned()),
            None => bullets.last_mut().expect("a contract starts with a bullet").push_str(line),
        }
    }
    bullets.iter().map(|bullet| plain(bullet)).collect()
}

/// Returns what the cases of a kit quote.
fn quotations(kit: &str) -> Vec<String> {
    let mut quotations: Vec<String> = Vec::new();
    let mut inside = false;
    for line in kit.lines() {
        match line.strip_prefix("/// > ") {
            Some(text) if inside => quotations.last_mut().expect("inside one").push_str(&format!(" {text}")),
            Some(text) => quotations.push(text.to_owned()),
            None => {}
        }
        inside = line.starts_with("/// > ");
    }
    quotations.iter().map(|quotation| plain(quotation)).collect()
}

/// Checks both directions; `promises` bind the hub, so that no case can check them.
fn check(source: &str, kit: &str, promises: &[&str]) {
    let (bullets, quotations, docs) = (contract(source), quotations(kit), docs(source));
    assert!(!bullets.is_empty(), "the trait has a contract");
    for bullet in &bullets {
        let promised = promises.iter().any(|promise| bullet.starts_with(promise));
        let quoted = quotations.iter().any(|quotation| quotation == bullet);
        assert!(promised != quoted, "quoted by a case or promised by the hub: {bullet}");
    }
    for quotation in quotations {
        assert!(docs.contains(&quotation), "no sentence of the trait: {quotation}");
    }
}

#[test]
fn the_store_kit_quotes_its_contract() {
    let kit = [
        include_str!("../src/testing/message_store/accounts.rs"),
        include_str!("../src/testing/message_store/append.rs"),
        include_str!("../src/testing/message_store/durability.rs"),
        include_str!("../src/testing/message_store/expiry.rs"),
        include_str!("../src/testing/message_store/offsets.rs"),
        include_str!("../src/testing/message_store/overflow.rs"),
        include_str!("../src/testing/message_store/read.rs"),
        include_str!("../src/testing/message_store/space.rs"),
    ];
    let source = [include_str!("../src/store/mod.rs"), include_str!("../src/store/target.rs")];
    check(&source.concat(), &kit.concat(), &[]);
}

#[test]
fn the_endpoint_kit_quotes_its_contract() {
    let kit = include_str!("../src/testing/endpoint/cases.rs");
    check(include_str!("../src/endpoint.rs"), kit, &["The hub never calls send again"]);
}

#[test]
fn the_authenticator_kit_quotes_its_contract() {
    check(include_str!("../src/auth.rs"), include_str!("../src/testing/authenticator.rs"), &[]);
}

#[test]
fn the_session_kit_quotes_its_contract() {
    check(include_str!("../src/sessions.rs"), include_str!("../src/testing/session_store.rs"), &[]);
}

#[test]
fn the_identity_kit_quotes_its_contract() {
    let kit = include_str!("../src/testing/identity_store.rs");
    check(include_str!("../src/service/identity_store.rs"), kit, &[]);
}

#[test]
fn the_upload_kit_quotes_its_contract() {
    check(include_str!("../src/service/uploads.rs"), include_str!("../src/testing/uploads.rs"), &[]);
}

#[test]
fn the_clock_kit_quotes_its_contract() {
    check(include_str!("../src/clock.rs"), include_str!("../src/testing/clock.rs"), &[]);
}
