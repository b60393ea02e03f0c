//! Route files in TOML: the table `[routes]` of the gateway's configuration.

use std::ops::Range;

use edge_routing::{RouteSpec, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::Mistake;
use crate::place::Places;

const KNOWN: [&str; 3] = ["route", "priority", "time_to_live_secs"];

/// The routes of a file, and where their texts stand.
pub(crate) fn read(text: &str) -> Result<(Vec<RouteSpec>, Places), Vec<Mistake>> {
    let document = DeTable::parse(text).map_err(|error| vec![mistake(error.message(), error.span())])?;
    let Some(routes) = member(document.get_ref(), "routes") else {
        return Err(vec![mistake("there is no table [routes]", None)]);
    };
    let DeValue::Table(table) = routes.get_ref() else {
        return Err(vec![mistake("'routes' must be a table", Some(routes.span()))]);
    };
    let (mut specs, mut places, mut mistakes) = (Vec::new(), Places::default(), Vec::new());
    for (name, value) in table {
        let name = name.get_ref();
        match spec(name, value, &mut places) {
            Ok(spec) => specs.push(spec),
            Err((message, range)) => {
                mistakes.push(mistake(&format!("route '{name}': {message}"), Some(range)));
            }
        }
    }
    if mistakes.is_empty() { Ok((specs, places)) } else { Err(mistakes) }
}

fn mistake(message: &str, range: Option<Range<usize>>) -> Mistake {
    Mistake {
        message: message.trim_end().to_owned(),
        span: range.map(|range| Span::new(range.start, range.end)),
    }
}

fn member<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// A route, or what is wrong with it and where.
fn spec(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    places: &mut Places,
) -> Result<RouteSpec, (String, Range<usize>)> {
    let table = match value.get_ref() {
        DeValue::String(text) => {
            places.add(name, value.span());
            return Ok(RouteSpec::new(name, text.as_ref()));
        }
        DeValue::Table(table) => table,
        _ => return Err(("a route is a text or a table".into(), value.span())),
    };
    if let Some(key) = table.keys().find(|key| !KNOWN.contains(&key.get_ref().as_ref())) {
        let message = format!("'{}' is not known; known are {}", key.get_ref(), KNOWN.join(", "));
        return Err((message, key.span()));
    }
    let text = member(table, "route").ok_or_else(|| ("'route' is missing".to_owned(), value.span()))?;
    let DeValue::String(words) = text.get_ref() else {
        return Err(("'route' must be a text".into(), text.span()));
    };
    places.add(name, text.span());
    let mut spec = RouteSpec::new(name, words.as_ref());
    if let Some(priority) = member(table, "priority") {
        let number = integer(priority).and_then(|number| u8::try_from(number).ok());
        let number =
            number.ok_or_else(|| ("'priority' must be a number from 0 to 9".into(), priority.span()))?;
        spec = spec.with_priority(number);
    }
    if let Some(secs) = member(table, "time_to_live_secs") {
        let number = integer(secs).and_then(|number| u32::try_from(number).ok());
        let message = || ("'time_to_live_secs' must be a number of seconds".into(), secs.span());
        spec = spec.with_time_to_live_secs(number.ok_or_else(message)?);
    }
    Ok(spec)
}

fn integer(value: &Spanned<DeValue<'_>>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_route() {
        let text = r#"
            hub_name = "not looked at"
            [routes]
            a = "FROM /* INTO $upstream"
            b = { route = "FROM /* INTO $upstream", priority = 0, time_to_live_secs = 60 }
        "#;
        let (specs, places) = read(text).expect("a route file");
        assert_eq!((specs[1].priority, specs[1].time_to_live_secs), (Some(0), Some(60)));
        let span = places.find(text, "b", &specs[1].text, Some(Span::new(13, 22))).expect("it stands there");
        assert_eq!(span.slice(text), "$upstream");
        assert!(span.start() > text.find("b = ").expect("a route"));
    }

    #[test]
    fn all_mistakes_are_told_with_places() {
        let text = "[routes]\na = 3\nb = { route = 4 }\nc = { route = 'x', prio = 1 }\nd = { route = 'x', priority = 300 }";
        let mistakes = read(text).expect_err("four mistakes");
        let lines: Vec<String> = mistakes.iter().map(|mistake| mistake.text("f", text)).collect();
        let starts = ["f:2:5: ", "f:3:15: ", "f:4:20: ", "f:5:31: "];
        assert!(
            lines.len() == 4 && lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)),
            "{lines:?}"
        );
        assert!(
            lines[2].ends_with("\n   |\n   | c = { route = 'x', prio = 1 }\n   |                    ^^^^"),
            "{}",
            lines[2]
        );
        assert_eq!(read("x = 1").expect_err("no table").len(), 1);
        assert!(read("x = ").expect_err("no TOML")[0].span.is_some());
    }
}
