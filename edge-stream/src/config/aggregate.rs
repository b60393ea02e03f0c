//! What is computed, as it is written: `percentile($body.t, 99)`.

use edge_core::fields::Field;

use crate::stats::Function;

const HELP: &str = "write count(), count(f), sum(f), avg(f), min(f), max(f), stddev(f), stddevp(f) or \
                    percentile(f, 99), where f is `$body.path`, `$systemProperty` or a property's name";

/// Reads a function of a field.
pub(super) fn parse(text: &str) -> Result<(Function, Option<Field>), String> {
    let call = text.trim().strip_suffix(')').and_then(|text| text.split_once('('));
    let Some((name, arguments)) = call else {
        return Err(format!("{text:?} is no function: {HELP}"));
    };
    let name = name.trim();
    let (field, percent) = match (name, arguments.rsplit_once(',')) {
        ("percentile", Some((field, percent))) => (field.trim(), Some(percent.trim())),
        ("percentile", None) => return Err(format!("{text:?} does not say which: write percentile(f, 99)")),
        _ => (arguments.trim(), None),
    };
    let function = match name {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        "stddev" => Function::StdDev,
        "stddevp" => Function::StdDevP,
        "percentile" => match percent.unwrap_or_default().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Function::Percentile(percent),
            _ => return Err(format!("{text:?}: a percentile is from 0 to 100")),
        },
        _ => return Err(format!("there is no function {name:?}: {HELP}")),
    };
    if field.is_empty() {
        return match function {
            Function::Count => Ok((function, None)),
            _ => Err(format!("{text:?} does not say of what: {HELP}")),
        };
    }
    let field = field.parse::<Field>().map_err(|error| error.to_string())?;
    Ok((function, Some(field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_read() {
        let of = |text: &str| parse(text).map(|(function, field)| (function, field.map(|f| f.to_string())));
        assert_eq!(of("count()"), Ok((Function::Count, None)));
        assert_eq!(of(" avg( $body.t ) "), Ok((Function::Avg, Some("$body.t".into()))));
        let nines = of("percentile($body[\"a.b\"], 99.9)");
        assert_eq!(nines, Ok((Function::Percentile(99.9), Some("$body[\"a.b\"]".into()))));
        for text in ["avg", "avg()", "mean(x)", "percentile(x)", "percentile(x, 101)", "sum($nothing)", ")"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
