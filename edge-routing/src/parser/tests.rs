use alloc::format;
use alloc::string::String;

use super::*;
use crate::ast::NodeKind;

/// The tree as text, every operation in parentheses.
fn shape(ast: &Ast, id: NodeId) -> String {
    let node = ast.node(id).expect("in the tree");
    match &node.kind {
        NodeKind::Group(inner) => shape(ast, *inner),
        NodeKind::Call { name, args, .. } => {
            format!("{name}({})", args.iter().map(|&arg| shape(ast, arg)).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Unary(_, inner) => format!("({} {})", ast.text(node.token), shape(ast, *inner)),
        NodeKind::Binary(_, left, right) => {
            format!("({} {} {})", shape(ast, *left), ast.text(node.token), shape(ast, *right))
        }
        NodeKind::Logic { items, .. } => {
            let sign = format!(" {} ", ast.text(node.token));
            format!("({})", items.iter().map(|&item| shape(ast, item)).collect::<Vec<_>>().join(&sign))
        }
        NodeKind::BadSymbol => "<symbol>".into(),
        NodeKind::ExtraClose => "<extra>".into(),
        NodeKind::MissingClose => "<missing>".into(),
        _ => ast.text(node.span).into(),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let found = match parse_condition(text) {
        Ok(ast) => ast.root.map_or(String::new(), |root| shape(&ast, root)),
        Err(failure) => format!("{} at {}", failure.message(), failure.span().map_or(0, Span::start)),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn precedence() {
    check("a OR b AND c", "(a OR (b AND c))");
    check("NOT a = 'x'", "((NOT a) = 'x')");
    check("a = 1 + 2 * 3 AND b", "((a = (1 + (2 * 3))) AND b)");
    check("1 - 2 - 3", "((1 - 2) - 3)");
    check("a ?? b OR c", "(a ?? (b OR c))");
    check("1 < 2 = true", "((1 < 2) = true)");
    check("a AND b AND c OR d", "((a AND b AND c) OR d)");
    check("- - 5", "(- (- 5))");
}

#[test]
fn what_follows_is_ignored() {
    check("x = 'a' junk", "(x = 'a')");
    check("true)", "true");
    check("name IN ('a')", "name");
    check("3 -4", "3");
    check("", "");
    check("/* only a comment */", "");
}

#[test]
fn broken_texts() {
    check("(true))", "<extra>");
    check("f(x))", "<extra>");
    check("((true))", "true");
    check("(true", "<missing>");
    check("3 = @ 3", "(3 = <symbol>)");
    check("(@)", "<symbol>");
    check("a @ b = c", "<symbol>");
    check("a = 'x' @", "Syntax error. at 9");
    check("()", "Syntax error. at 1");
    check("f(", "Syntax error. at 2");
    check("a AND", "Syntax error. at 5");
    check("a = = b", "Syntax error. at 4");
    check("{a}", "Syntax error. at 1");
    check("x[1] = 2", "Syntax error. at 0");
    check("from", "Syntax error. at 0");
    check("1 // 2", "Syntax error. at 3");
}

#[test]
fn limits() {
    let code = |text: &str| parse_condition(text).err().map(|failure| failure.code());
    assert_eq!(code(&"(".repeat(1 << 20)), Some(Code::TextTooLong));
    assert_eq!(code(&format!("a{}", " OR a".repeat(1_000_000))), Some(Code::TextTooLong));
    assert_eq!(code(&"(".repeat(5000)), Some(Code::TooDeep));
    assert_eq!(code(&"f(".repeat(5000)), Some(Code::TooDeep));
    assert_eq!(code(&"NOT ".repeat(5000)), Some(Code::TooDeep));
    assert_eq!(code(&"@".repeat(5000)), Some(Code::TooDeep));
    assert_eq!(code(&format!("a{}", " OR a".repeat(5000))), None);
    assert_eq!(code(&format!("a{}", " OR a".repeat(10_000))), Some(Code::TooManyTerms));
    assert_eq!(code(&format!("a{}", " || a".repeat(5000))), Some(Code::TooDeep));
}

#[test]
fn routes() {
    let route = parse_route("select * from / messages /* INTO $upstream; more").expect("parses");
    assert_eq!(route.source, "/messages/*");
    assert!(route.ignored.is_some());
    let fails = |text: &str| parse_route(text).is_err();
    for source in [
        "/messages/",
        "/",
        "//a",
        "messages",
        "*",
        "/modules/$edgeHub/x",
        "/123",
        "/a/true",
        "/a/1e5",
        "/a/and",
    ] {
        assert!(fails(&format!("FROM {source} INTO $upstream")), "{source}");
    }
    assert!(fails("FROM /messages/* INTO $upstream /* c */"));
    assert!(fails("FROM /messages/* WHERE a = 'x' junk INTO $upstream"));
    assert!(fails("FROM /messages/* WHERE INTO $upstream"));
    assert_eq!(parse_route("FROM /messages/* /* c */ INTO $upstream").expect("parses").source, "/messages");
}

mod print {
    use alloc::boxed::Box;

    use proptest::prelude::*;

    use super::{Parser, shape};

    /// An expression to print, with the levels of its operators.
    #[derive(Debug, Clone)]
    enum Tree {
        Leaf(&'static str),
        Call(&'static str, Vec<Self>),
        Not(Box<Self>),
        Binary(&'static str, u8, Box<Self>, Box<Self>),
    }
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    const SIGNS: [(&str, u8); 16] = [
        ("??", 1),
        ("OR", 2),
        ("AND", 3),
        ("=", 4),
        ("!=", 4),
        ("<>", 4),
        ("<", 5),
        ("<=", 5),
        (">", 5),
        (">=", 5),
        ("+", 6),
        ("-", 6),
        ("||", 6),
        ("*", 7),
        ("/", 7),
        ("%", 7),
    ];

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop::sample::select(&["a", "'x y'", "1.5", "true", "null", "$body.a[0]", "$x"][..])
            .prop_map(Tree::Leaf);
        leaf.prop_recursive(5, 40, 3, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            prop_oneof![
                (prop::sample::select(&SIGNS[..]), boxed.clone(), boxed.clone())
                    .prop_map(|((sign, level), left, right)| Tree::Binary(sign, level, left, right)),
                boxed.prop_map(Tree::Not),
                (prop::sample::select(&["f", "is_null"][..]), prop::collection::vec(inner, 0..3))
                    .prop_map(|(name, args)| Tree::Call(name, args)),
            ]
        })
    }

    /// The text with as few parentheses as the levels allow.
    fn print(tree: &Tree, least: u8) -> String {
        let (text, level) = match tree {
            Tree::Leaf(text) => ((*text).into(), 9),
            Tree::Call(name, args) => (
                format!("{name}({})", args.iter().map(|arg| print(arg, 0)).collect::<Vec<_>>().join(", ")),
                9,
            ),
            Tree::Not(inner) => (format!("NOT {}", print(inner, 8)), 8),
            Tree::Binary(sign, level, left, right) => {
                (format!("{} {sign} {}", print(left, *level), print(right, level + 1)), *level)
            }
        };
        if level < least { format!("({text})") } else { text }
    }

    /// The tree in the words of [`shape`]: all operations in parentheses, chains of one logic word as one.
    fn expected(tree: &Tree) -> String {
        match tree {
            Tree::Leaf(text) => (*text).into(),
            Tree::Call(name, args) => {
                format!("{name}({})", args.iter().map(expected).collect::<Vec<_>>().join(", "))
            }
            Tree::Not(inner) => format!("(NOT {})", expected(inner)),
            Tree::Binary(sign, _, left, right) => {
                let left_text = expected(left);
                let chain = matches!(&**left, Tree::Binary(other, ..) if other == sign)
                    && matches!(*sign, "AND" | "OR");
                let left_text = if chain {
                    left_text.get(1..left_text.len() - 1).unwrap_or("").into()
                } else {
                    left_text
                };
                format!("({left_text} {sign} {})", expected(right))
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_printed_parses_to_the_same(tree in tree()) {
            let text = print(&tree, 0);
            let ast = Parser::new(&text).and_then(|mut parser| parser.condition(true)).expect("parses");
            prop_assert_eq!(shape(&ast, ast.root.expect("not empty")), expected(&tree), "{}", text);
        }
    }
}
