//! `[[windows]]`: windows over streams of messages.

use std::collections::BTreeMap;
use std::ops::Range;

use edge_stream::{Definition, LimitsSpec, ShapeSpec, WindowSpec};
use toml::Spanned;
use toml::de::DeValue;

use super::reader::Section;

/// Where each key stands, for the mistakes that are found when all is read.
#[derive(Default)]
struct Places(Vec<(String, Range<usize>)>);

impl Places {
    fn note(&mut self, key: impl Into<String>, text: Option<Spanned<String>>) -> Option<String> {
        let text = text?;
        self.0.push((key.into(), text.span()));
        Some(text.into_inner())
    }
}

/// Reads one of the list, and checks it.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Definition> {
    let (at, mut places) = (section.at(), Places::default());
    let mut spec = WindowSpec::default();
    let name = section.required("name");
    spec.name = places.note("name", name)?;
    let mut text = |key| {
        let found = section.string(key);
        places.note(key, found)
    };
    (spec.key, spec.time, spec.time_unit) = (text("key"), text("time"), text("time_unit"));
    (spec.lateness, spec.idle, spec.max_ahead) = (text("lateness"), text("idle"), text("max_ahead"));
    (spec.distinct, spec.output) = (text("distinct"), text("output"));
    (spec.late, spec.on_error) = (text("late"), text("on_error"));
    match section.section("window", |section| shape(section, &mut places)) {
        Some(window) => spec.window = window?,
        None => {
            section.mistake(at, "a window needs `window = { type = \"tumbling\", size = \"10s\" }`");
            return None;
        }
    }
    spec.values = section.section("values", |section| values(section, &mut places)).unwrap_or_default();
    spec.limits = section.section("limits", limits).unwrap_or_default();
    match spec.check() {
        Ok(definition) => Some(definition),
        Err(mistakes) => {
            for mistake in &mistakes {
                let place = places.0.iter().find(|(key, _)| *key == mistake.key).map(|(_, at)| at.clone());
                section.mistake(
                    place.unwrap_or_else(|| at.clone()),
                    format!("{}: {}", mistake.key, mistake.message),
                );
            }
            None
        }
    }
}

fn shape(section: &mut Section<'_, '_>, places: &mut Places) -> Option<ShapeSpec> {
    let mut shape = ShapeSpec::default();
    let kind = section.required("type");
    shape.kind = places.note("window.type", kind)?;
    let mut text = |key: &'static str| {
        let found = section.string(key);
        places.note(format!("window.{key}"), found)
    };
    (shape.size, shape.hop, shape.offset) = (text("size"), text("hop"), text("offset"));
    (shape.gap, shape.max) = (text("gap"), text("max"));
    Some(shape)
}

fn values(section: &mut Section<'_, '_>, places: &mut Places) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (key, value) in section.rest() {
        let at = value.span();
        match value.into_inner() {
            DeValue::String(text) => {
                places.0.push((format!("values.{}", key.get_ref()), at));
                values.insert(key.into_inner(), text.into_owned());
            }
            other => section.wrong(at, key.get_ref(), "a function in quotes, as \"avg($body.t)\"", &other),
        }
    }
    values
}

fn limits(section: &mut Section<'_, '_>) -> LimitsSpec {
    let mut number =
        |key| section.integer(key, 1..=1_000_000_000).and_then(|number| usize::try_from(number).ok());
    let mut limits = LimitsSpec::default();
    (limits.max_keys, limits.max_values) = (number("max_keys"), number("max_values"));
    (limits.max_total_values, limits.max_distinct) = (number("max_total_values"), number("max_distinct"));
    limits
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Mistakes};

    fn parse(windows: &str) -> Result<Config, Mistakes> {
        let text = format!("device_id = \"edge1\"\n{windows}");
        Config::parse("gateway.toml", text, Path::new("/base"))
    }

    #[test]
    fn windows_are_read() {
        let config = parse(
            "[[windows]]\nname = \"vibration\"\nwindow = { type = \"hopping\", size = \"1m\", hop = \"10s\" }\n\
             time = \"$body.at\"\nlimits = { max_keys = 5 }\nvalues = { mean = \"avg($body.rms)\" }\n",
        );
        let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(config.windows.iter().map(|windows| windows.name()).collect::<Vec<_>>(), ["vibration"]);
    }

    #[test]
    fn every_mistake_is_shown_where_it_is() {
        let mistakes = parse(
            "[[windows]]\nname = \"a\"\nwindow = { type = \"tumbling\", sze = \"1m\" }\nlateness = \"soon\"\n\
             values = { mean = \"mean($body.rms)\", n = 3 }\n[[windows]]\nname = \"b\"\n",
        );
        let text = mistakes.unwrap_err().to_string();
        for expected in [
            "gateway.toml:4:31: unknown key `sze`; did you mean `size`?",
            "window.size: is missing: write size = \"10s\"",
            "gateway.toml:5:12: lateness: \"soon\" is no length of time",
            "gateway.toml:6:19: values.mean: there is no function \"mean\"",
            "gateway.toml:6:42: n must be a function in quotes, as \"avg($body.t)\", and is of type integer",
            "a window needs `window = { type = \"tumbling\", size = \"10s\" }`",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
    }

    #[test]
    fn two_of_a_name_are_a_mistake() {
        let one = "[[windows]]\nname = \"a\"\nwindow = { type = \"sliding\", size = \"1s\" }\nvalues = { n = \"count()\" }\n";
        let text = parse(&one.repeat(2)).unwrap_err().to_string();
        assert!(text.contains("`a` is the name of two things"), "{text}");
        let module =
            "[[identities]]\ndevice_id = \"edge1\"\nmodule_id = \"a\"\nauth = { type = \"x509_ca\" }\n";
        let text = parse(&format!("{one}{module}")).unwrap_err().to_string();
        assert!(text.contains("`a` is the name of a module too"), "{text}");
    }
}
