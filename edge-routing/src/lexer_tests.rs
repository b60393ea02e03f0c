use super::*;

#[track_caller]
fn check(text: &str, expected: &[(Kind, &str)]) {
    let found: Vec<_> = lex(text).tokens.iter().map(|t| (t.kind, t.span.slice(text))).collect();
    assert_eq!(found.split_last().expect("ends with Eof").1, expected, "{text}");
}

#[test]
fn longest_match_wins() {
    check("a-b", &[(Kind::Ident, "a-b")]);
    check("3+4", &[(Kind::Ident, "3+4")]);
    check("3 -4", &[(Kind::Integer, "3"), (Kind::Integer, "-4")]);
    check("- 5", &[(Kind::Minus, "-"), (Kind::Integer, "5")]);
    check("p!='9'", &[(Kind::Ident, "p!"), (Kind::Eq, "="), (Kind::Str, "'9'")]);
    check("p !='9'", &[(Kind::Ident, "p"), (Kind::Ne, "!="), (Kind::Str, "'9'")]);
    check("p<>'z'", &[(Kind::Ident, "p"), (Kind::Ne, "<>"), (Kind::Str, "'z'")]);
    check("1/2", &[(Kind::Integer, "1"), (Kind::Slash, "/"), (Kind::Integer, "2")]);
}

#[test]
fn numbers_and_what_only_looks_like_one() {
    check("5.", &[(Kind::Ident, "5.")]);
    check("e5", &[(Kind::Real, "e5")]);
    check("-.5e-3", &[(Kind::Real, "-.5e-3")]);
    check("0x1F", &[(Kind::Hex, "0x1F")]);
    check("-0x10", &[(Kind::Ident, "-0x10")]);
    check("1.2.3", &[(Kind::Ident, "1.2.3")]);
}

#[test]
fn keywords_know_their_case() {
    check(
        "aNd TRUE true Null",
        &[(Kind::And, "aNd"), (Kind::Ident, "TRUE"), (Kind::True, "true"), (Kind::Ident, "Null")],
    );
}

#[test]
fn strings_and_their_ends() {
    check("'a' 'b", &[(Kind::Str, "'a'"), (Kind::UnterminatedStr, "'b")]);
    check(r"'a\'b'", &[(Kind::Str, r"'a\'b'")]);
    check(r"'a\d'", &[(Kind::UnterminatedStr, "'a"), (Kind::Unknown, "\\"), (Kind::Ident, "d'")]);
    check("'a b'||'c'", &[(Kind::Str, "'a b'"), (Kind::Ident, "||'c'")]);
}

#[test]
fn names_of_the_system_and_paths() {
    check(
        "$ $a {$b}",
        &[
            (Kind::Ident, "$"),
            (Kind::SysName, "$a"),
            (Kind::OpenBrace, "{"),
            (Kind::SysName, "$b"),
            (Kind::CloseBrace, "}"),
        ],
    );
    check("$body.a[0].b x[1]", &[(Kind::SysName, "$body.a[0].b"), (Kind::QueryPath, "x[1]")]);
}

#[test]
fn comments_need_an_end() {
    check("a/*b*/c", &[(Kind::Ident, "a"), (Kind::Ident, "c")]);
    check("/*", &[(Kind::Slash, "/"), (Kind::Star, "*")]);
    check("@", &[(Kind::Unknown, "@")]);
}
