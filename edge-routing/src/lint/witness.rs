//! Messages that fulfil conditions: made from what the conditions demand, and confirmed by evaluation.

use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::set::Set;
use crate::body::Segment;
use crate::fields::Sample;
use crate::index::{Interval, Text, ValueSet, demands};
use crate::json::Json;
use crate::limits::MAX_BODY_DEPTH;
use crate::program::{BodyRef, Expr, ExprId, Leaf, LeafId};

/// Messages tried before giving up.
const TRIES: u32 = 400;

/// A value given to a leaf.
#[derive(Debug, Clone, PartialEq)]
enum Choice {
    Absent,
    NullText,
    Text(String),
    Json(Json),
}

/// A message from `source` for which all of `roots` are true, if one is found. `given` are system properties that it
/// must have.
pub(super) fn search(
    set: &Set<'_>,
    roots: &[ExprId],
    source: &str,
    given: &[(&str, &str)],
) -> Option<Sample> {
    let mut pools: HashMap<LeafId, Vec<Choice>> = HashMap::new();
    for &root in roots {
        collect(set, root, &mut pools);
    }
    let mut demanded: HashMap<LeafId, ValueSet> = HashMap::new();
    for demand in roots.iter().flat_map(|&root| demands(&set.program, root)) {
        match demand.as_slice() {
            [] => return None,
            [(leaf, values)] => {
                let known = demanded.remove(leaf).unwrap_or(ValueSet::DEFINED);
                demanded.insert(*leaf, known.and(values.clone()));
            }
            several => {
                for (leaf, values) in several {
                    pools.entry(*leaf).or_default().extend(examples(values));
                }
            }
        }
    }
    for (leaf, values) in demanded {
        let wanted = examples(&values);
        if !wanted.is_empty() {
            pools.insert(leaf, wanted);
        }
    }
    let mut leaves: Vec<(LeafId, Vec<Choice>)> = pools.into_iter().collect();
    leaves.sort_by_key(|(leaf, _)| *leaf);
    for (_, pool) in &mut leaves {
        let mut unique: Vec<Choice> = Vec::new();
        for choice in pool.drain(..) {
            if !unique.contains(&choice) {
                unique.push(choice);
            }
        }
        *pool = unique;
    }
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for attempt in 0..TRIES {
        if !set.may_try() {
            return None;
        }
        let mut chosen = Vec::with_capacity(leaves.len());
        for (leaf, pool) in &leaves {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at =
                if attempt == 0 { 0 } else { usize::try_from(random >> 33).unwrap_or(0) % pool.len().max(1) };
            chosen.push((*leaf, pool.get(at).unwrap_or(&Choice::Absent)));
        }
        let sample = build(set, source, given, &chosen);
        if set.holds(roots, &sample) {
            return Some(sample);
        }
    }
    None
}

/// Values worth trying for each leaf: the literals it meets, their neighbours, and none.
fn collect(set: &Set<'_>, expr: ExprId, pools: &mut HashMap<LeafId, Vec<Choice>>) {
    let program = &set.program;
    let mut literals = Vec::new();
    let mut leaves = Vec::new();
    gather(set, expr, &mut leaves, &mut literals);
    for leaf in leaves {
        let body = matches!(program.leaf(leaf), Some(Leaf::Body(_) | Leaf::AppOrBody(..)));
        let pool = pools.entry(leaf).or_default();
        for literal in &literals {
            match literal {
                Json::Number(number) => {
                    for value in [*number, number + 1.0, number - 1.0] {
                        pool.push(if body {
                            Choice::Json(Json::Number(value))
                        } else {
                            Choice::Text(shown(value))
                        });
                    }
                }
                Json::Str(text) if body => pool.push(Choice::Json(Json::Str(text.clone()))),
                Json::Str(text) => pool.push(Choice::Text(text.clone())),
                other if body => pool.push(Choice::Json(other.clone())),
                _ => {}
            }
        }
        pool.push(Choice::Absent);
        pool.push(if body { Choice::Json(Json::Str("x".into())) } else { Choice::Text("x".into()) });
        if body {
            pool.extend([
                Choice::Json(Json::Bool(true)),
                Choice::Json(Json::Bool(false)),
                Choice::Json(Json::Null),
            ]);
        } else {
            pool.push(Choice::NullText);
        }
    }
}

fn gather(set: &Set<'_>, expr: ExprId, leaves: &mut Vec<LeafId>, literals: &mut Vec<Json>) {
    match set.program.expr(expr) {
        Expr::Leaf(leaf) | Expr::Includes(leaf) if !leaves.contains(&leaf) => leaves.push(leaf),
        Expr::Number(bits) => literals.push(Json::Number(f64::from_bits(bits))),
        Expr::Str(text) => literals.push(Json::Str(set.program.string(text).into())),
        _ => {}
    }
    set.program.operands(expr, &mut |operand| gather(set, operand, leaves, literals));
}

fn shown(value: f64) -> String {
    alloc::format!("{value}")
}

/// Values of a set, one of each kind.
fn examples(values: &ValueSet) -> Vec<Choice> {
    let mut found = Vec::new();
    match &values.text {
        Text::None => {}
        Text::Is(text) | Text::Prefix(text) => found.push(Choice::Text(String::from(&**text))),
        Text::Reads(interval) => found.extend(inside(interval).map(|value| Choice::Text(shown(value)))),
        Text::Any => found.push(Choice::Text("x".into())),
    }
    found.extend(values.number.as_ref().and_then(inside).map(|value| Choice::Json(Json::Number(value))));
    if values.null_text {
        found.push(Choice::NullText);
    }
    for (value, is_in) in [false, true].into_iter().zip(values.bools) {
        if is_in {
            found.push(Choice::Json(Json::Bool(value)));
        }
    }
    if values.null {
        found.extend([Choice::Json(Json::Null), Choice::Absent]);
    }
    found
}

/// A number of the interval, a plain one if possible.
fn inside(interval: &Interval) -> Option<f64> {
    let middle = f64::midpoint(interval.low, interval.high);
    let candidates = [
        interval.low,
        interval.high,
        crate::number::floor(interval.low) + 1.0,
        crate::number::ceiling(interval.high) - 1.0,
        middle,
        0.0,
        interval.low + 1.0,
        interval.high - 1.0,
    ];
    let finite = |value: &f64| value.is_finite() && interval.contains(*value);
    candidates
        .into_iter()
        .find(finite)
        .or_else(|| candidates.into_iter().find(|value| interval.contains(*value)))
}

fn build(set: &Set<'_>, source: &str, given: &[(&str, &str)], chosen: &[(LeafId, &Choice)]) -> Sample {
    let mut sample = Sample::new(source);
    let mut body = Json::Object(Vec::new());
    let mut has_body = false;
    for (leaf, choice) in chosen {
        let text = match choice {
            Choice::Absent | Choice::Json(_) => None,
            Choice::NullText => Some(None),
            Choice::Text(text) => Some(Some(text.as_str())),
        };
        match set.program.leaf(*leaf) {
            Some(Leaf::App(name)) => {
                if let Some(value) = text {
                    sample = sample.with_property(name, value);
                }
            }
            Some(Leaf::System(name)) => sample = system(sample, name, text),
            Some(Leaf::AppOrSystem(name)) => sample = system(sample, name.get(1..).unwrap_or(""), text),
            Some(Leaf::Body(path) | Leaf::AppOrBody(_, path)) => {
                has_body = true;
                let value = match choice {
                    Choice::Json(value) => value.clone(),
                    Choice::Text(text) => Json::Str(text.clone()),
                    Choice::Absent | Choice::NullText => continue,
                };
                if let BodyRef::Slot(slot) = path
                    && let Some(path) = set.paths.get(*slot as usize)
                    && path.len() <= MAX_BODY_DEPTH
                {
                    put(&mut body, path, value);
                }
            }
            None => {}
        }
    }
    for (name, value) in given {
        sample = sample.with_system_property(name, Some(value));
    }
    if has_body { sample.with_json(body.to_text()) } else { sample }
}

fn system(sample: Sample, name: &str, value: Option<Option<&str>>) -> Sample {
    match value {
        Some(value) => sample.with_system_property(name, value),
        None => sample,
    }
}

/// Puts a value at a path, making what lies on the way; what is in the way stays.
fn put(json: &mut Json, path: &[Segment], value: Json) {
    let Some((first, rest)) = path.split_first() else {
        if matches!(json, Json::Null) {
            *json = value;
        }
        return;
    };
    let slot = match first {
        Segment::Name(name) => {
            if matches!(json, Json::Null) {
                *json = Json::Object(Vec::new());
            }
            let Json::Object(members) = json else { return };
            if let Some(at) = members.iter().position(|(key, _)| **key == **name) {
                members.get_mut(at)
            } else {
                members.push((String::from(&**name), Json::Null));
                members.last_mut()
            }
            .map(|(_, value)| value)
        }
        Segment::Index(index) => {
            if matches!(json, Json::Null) {
                *json = Json::Array(Vec::new());
            }
            let Json::Array(items) = json else { return };
            let index = *index as usize;
            if index > 64 {
                return;
            }
            if items.len() <= index {
                items.resize(index + 1, Json::Null);
            }
            items.get_mut(index)
        }
        Segment::All => None,
    };
    if let Some(slot) = slot {
        put(slot, rest, value);
    }
}
