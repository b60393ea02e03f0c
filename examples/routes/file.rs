//! Reads route files.

use std::fs;
use std::io::{self, BufRead, BufReader, Read as _};

use edge_routing::{CompileOptions, Compiled, Diagnostics, EdgeHubConfig, RouteSpec, Router};

/// The routes of a file, before they are compiled.
pub(crate) struct RouteFile {
    pub(crate) specs: Vec<RouteSpec>,
    /// The modules, where the file names them.
    pub(crate) modules: Option<Vec<String>>,
    pub(crate) warnings: Diagnostics,
}

/// What is wrong with a file.
pub(crate) enum Problem {
    /// It cannot be read, or is neither JSON nor TOML.
    Unreadable(String),
    Refused(Diagnostics),
}

impl RouteFile {
    /// Reads the file at `path`.
    pub(crate) fn read(path: &str) -> Result<Self, Problem> {
        let text = text(path).map_err(Problem::Unreadable)?;
        if text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("[routes") {
            let config = EdgeHubConfig::parse(&text).map_err(Problem::Refused)?;
            return Ok(Self { specs: config.routes, modules: config.modules, warnings: config.warnings });
        }
        let specs = from_toml(&text).map_err(Problem::Unreadable)?;
        Ok(Self { specs, modules: None, warnings: Diagnostics::default() })
    }

    /// How to compile the routes.
    pub(crate) fn options(&self) -> CompileOptions {
        let options = CompileOptions::new();
        match &self.modules {
            Some(modules) => options.with_known_modules(modules),
            None => options,
        }
    }
}

/// Reads and compiles a file, for commands that need a router.
pub(crate) fn router(path: &str) -> Result<Compiled, String> {
    let refused = |errors: Diagnostics| format!("{path} is refused:\n{errors}");
    let file = RouteFile::read(path).map_err(|problem| match problem {
        Problem::Unreadable(reason) => reason,
        Problem::Refused(errors) => refused(errors),
    })?;
    Router::compile(&file.specs, &file.options()).map_err(refused)
}

/// The whole text of a file.
pub(crate) fn text(path: &str) -> Result<String, String> {
    let read = if path == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| format!("{path}: {error}"))
}

/// The lines of a file, one by one.
pub(crate) fn lines(path: &str) -> Result<Box<dyn BufRead>, String> {
    if path == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = fs::File::open(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Box::new(BufReader::new(file)))
}

fn from_toml(text: &str) -> Result<Vec<RouteSpec>, String> {
    let document: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let Some(routes) = document.get("routes") else { return Err("there is no table [routes]".into()) };
    let routes = routes.as_table().ok_or("'routes' must be a table")?;
    let mut problems = Vec::new();
    let mut specs = Vec::new();
    for (name, value) in routes {
        match spec(name, value) {
            Ok(spec) => specs.push(spec),
            Err(problem) => problems.push(format!("route '{name}': {problem}")),
        }
    }
    if problems.is_empty() { Ok(specs) } else { Err(problems.join("\n")) }
}

fn spec(name: &str, value: &toml::Value) -> Result<RouteSpec, String> {
    let table = match value {
        toml::Value::String(text) => return Ok(RouteSpec::new(name, text)),
        toml::Value::Table(table) => table,
        _ => return Err("a route is a text or a table".into()),
    };
    const KNOWN: [&str; 3] = ["route", "priority", "time_to_live_secs"];
    if let Some(key) = table.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("'{key}' is not known; known are {}", KNOWN.join(", ")));
    }
    let text = table.get("route").and_then(toml::Value::as_str).ok_or("'route' must be a text")?;
    let mut spec = RouteSpec::new(name, text);
    if let Some(priority) = table.get("priority") {
        let number = priority.as_integer().and_then(|number| u8::try_from(number).ok());
        spec = spec.with_priority(number.ok_or("'priority' must be a number from 0 to 9")?);
    }
    if let Some(secs) = table.get("time_to_live_secs") {
        let number = secs.as_integer().and_then(|number| u32::try_from(number).ok());
        spec = spec.with_time_to_live_secs(number.ok_or("'time_to_live_secs' must be a number of seconds")?);
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::from_toml;

    #[test]
    fn both_forms_of_a_route() {
        let text = r#"
            hub_name = "not looked at"
            [routes]
            a = "FROM /* INTO $upstream"
            b = { route = "FROM /* INTO $upstream", priority = 0, time_to_live_secs = 60 }
        "#;
        let specs = from_toml(text).expect("a route file");
        assert_eq!((specs[1].priority, specs[1].time_to_live_secs), (Some(0), Some(60)));
    }

    #[test]
    fn all_mistakes_are_told() {
        let text = "[routes]\na = 3\nb = { route = 4 }\nc = { route = 'x', prio = 1 }\nd = { route = 'x', priority = 300 }";
        let problems = from_toml(text).expect_err("four mistakes");
        assert_eq!(problems.lines().count(), 4, "{problems}");
        assert!(from_toml("x = 1").is_err());
    }
}
