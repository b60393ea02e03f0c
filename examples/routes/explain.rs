//! `routes explain`: why a message goes where it goes.

use std::io::{IsTerminal as _, Write};

use edge_routing::Sample;

use crate::{End, Words, file, written};

pub(crate) fn run(words: &Words, out: &mut impl Write) -> Result<End, String> {
    let [routes, message] = words.files.as_slice() else {
        return Err("explain needs a route file and a message".into());
    };
    let router = file::router(routes)?.router;
    let text = file::text(message)?;
    let sample = Sample::parse(text.trim()).map_err(|error| format!("{message}: {error}"))?;
    let names: Vec<&str> = words.routes.iter().map(String::as_str).collect();
    if let Some(name) = names.iter().find(|name| router.routes().iter().all(|route| route.name() != **name)) {
        return Err(format!("{routes}: there is no route '{name}'"));
    }
    let explanation = router.explain(&sample, &names);
    if words.has("--json") {
        let json = serde_json::to_string(&explanation).map_err(|error| error.to_string())?;
        writeln!(out, "{json}").map_err(written)?;
    } else {
        write!(out, "{}", explanation.text(colours())).map_err(written)?;
    }
    Ok(End::Fine)
}

/// Whether to write colours: to a terminal whose user does not forbid them.
fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
