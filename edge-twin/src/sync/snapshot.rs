//! What survives a restart, as bytes.
//!
//! ```text
//! 0  1  1: the version of this format
//! 1  8  version of the desired properties that the device was told last
//! 9     the parent's desired properties, then the reported ones: version u64, length u32, object in its stored form
//!       JSON: {"edits": [[path, value, time, policy]], "early": patch or null}
//! ```

use bytes::Bytes;
use edge_core::Timestamp;

use super::edits::Edit;
use super::machine::State;
use super::{EditPolicy, SyncOptions, TwinSync};
use crate::stored::saturate;
use crate::{DecodeError, Limits, Map, Patch, Section, Value};

const FORMAT: u8 = 1;

impl TwinSync {
    /// Returns what has to survive a restart.
    #[must_use]
    pub fn snapshot(&self) -> Bytes {
        let State { parent, edits, told, reported, early } = &self.state;
        let mut out = vec![FORMAT];
        out.extend_from_slice(&told.to_le_bytes());
        for section in [parent, reported] {
            out.extend_from_slice(&section.version().to_le_bytes());
            out.extend_from_slice(&saturate(section.stored().len()).to_le_bytes());
            out.extend_from_slice(section.stored());
        }
        let edits = edits.iter().map(edit_value).collect();
        let early = early.as_ref().map_or(Value::Null, |early| early.members().clone().into());
        let rest = Map::from([("edits".into(), Value::Array(edits)), ("early".into(), early)]);
        Value::Object(rest).write_json(&mut out);
        out.into()
    }

    /// Returns a machine that remembers what the snapshot says.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are damaged or of a later format.
    pub fn restore(options: SyncOptions, snapshot: &Bytes) -> Result<Self, DecodeError> {
        match snapshot.first() {
            Some(&FORMAT) => {}
            Some(&found) if found > FORMAT => return Err(DecodeError::Format { found }),
            _ => return Err(DecodeError::Damaged),
        }
        let state = parse(snapshot).ok_or(DecodeError::Damaged)?;
        Ok(Self::with_state(options, state))
    }
}

fn edit_value(edit: &Edit) -> Value {
    let path = edit.path.iter().map(|key| Value::String(key.clone())).collect();
    let policy = match edit.policy {
        EditPolicy::ParentWins => 0,
        EditPolicy::LocalWins => 1,
        EditPolicy::LastWriter => 2,
    };
    let at = i64::try_from(edit.at.as_unix_ms()).unwrap_or(i64::MAX);
    Value::Array(vec![Value::Array(path), edit.value.clone(), Value::Integer(at), Value::Integer(policy)])
}

fn read_edit(value: Value) -> Option<Edit> {
    let Value::Array(fields) = value else { return None };
    let [path, value, at, policy] = <[Value; 4]>::try_from(fields).ok()?;
    let Value::Array(path) = path else { return None };
    let path = path.iter().map(|key| key.as_str().map(Into::into)).collect::<Option<Vec<_>>>()?;
    let at = Timestamp::from_unix_ms(at.as_integer()?.try_into().ok()?);
    let policy = match policy.as_integer()? {
        0 => EditPolicy::ParentWins,
        1 => EditPolicy::LocalWins,
        2 => EditPolicy::LastWriter,
        _ => return None,
    };
    Some(Edit { path, value, at, policy })
}

fn parse(snapshot: &Bytes) -> Option<State> {
    let mut at = 1;
    let told = number(snapshot, &mut at)?;
    let parent = section(snapshot, &mut at)?;
    let reported = section(snapshot, &mut at)?;
    let Value::Object(mut rest) = Value::parse(snapshot.get(at..)?).ok()? else { return None };
    let Value::Array(edits) = rest.remove("edits")? else { return None };
    let edits = edits.into_iter().map(read_edit).collect::<Option<_>>()?;
    let limits = Limits::default().with_document_bytes(usize::MAX);
    let early = match rest.remove("early")? {
        Value::Null => None,
        early => Some(Patch::from_value(early, &limits).ok()?),
    };
    Some(State { parent, edits, told, reported, early })
}

fn section(bytes: &Bytes, at: &mut usize) -> Option<Section> {
    let version = number(bytes, at)?;
    let len = u32::from_le_bytes(*bytes.get(*at..)?.first_chunk()?);
    let start = at.checked_add(4)?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(start..end)?;
    *at = end;
    Section::from_stored(version, bytes.slice(start..end))
}

fn number(bytes: &Bytes, at: &mut usize) -> Option<u64> {
    let number = u64::from_le_bytes(*bytes.get(*at..)?.first_chunk()?);
    *at += 8;
    Some(number)
}
