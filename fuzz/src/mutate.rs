//! Changes inputs, the same way on every run: a small stand-in for libFuzzer on stable Rust.

use crate::Random;

/// The longest input that a change makes.
const MAX_BYTES: usize = 4096;

/// Bytes that mean something in one format or another.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff\n\r /?&=;%$#+'\"()[]{}<>.,:-\\*_019aAzZ";

/// Numbers that decoders are known to stumble over.
const NUMBERS: [u64; 10] =
    [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// Returns `input` with one to eight changes; `others` are inputs that pieces may come from.
///
/// # Examples
/// ```
/// use edge_fuzz::{Random, mutate::mutate};
///
/// let others = [b"abc".to_vec()];
/// assert_eq!(mutate(b"abc", &others, &mut Random::new(1)), mutate(b"abc", &others, &mut Random::new(1)));
/// ```
#[must_use]
pub fn mutate(input: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(8) {
        change(&mut bytes, others, random);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(10) {
        0 => flip(bytes, at, random),
        1 => put(bytes, at, &[random.next().to_le_bytes()[0]]),
        2 => put(bytes, at, &special(random)),
        3 => insert(bytes, at, &special(random)),
        4 => drop(bytes.drain(at..piece(bytes.len(), at, random))),
        5 => bytes.truncate(at),
        6 => {
            let copied = bytes.get(at..piece(bytes.len(), at, random)).unwrap_or_default().to_vec();
            let to = random.below(bytes.len() + 1);
            insert(bytes, to, &copied);
        }
        7 => {
            let number = NUMBERS.get(random.below(NUMBERS.len())).copied().unwrap_or_default();
            let width = 1 << random.below(4);
            put(bytes, at, number.to_le_bytes().get(..width).unwrap_or_default());
        }
        8 => {
            let other = others.get(random.below(others.len())).map_or(&[][..], Vec::as_slice);
            let from = random.below(other.len() + 1);
            let piece = other.get(from..piece(other.len(), from, random)).unwrap_or_default();
            insert(bytes, at, piece);
        }
        _ => {
            let other = others.get(random.below(others.len())).map_or(&[][..], Vec::as_slice);
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(random.below(other.len() + 1)..).unwrap_or_default());
        }
    }
}

/// Returns where a piece ends that begins at `at`: most pieces are short.
fn piece(len: usize, at: usize, random: &mut Random) -> usize {
    let most = if random.one_in(4) { len } else { 8 };
    (at + 1 + random.below(most)).min(len).max(at.min(len))
}

fn special(random: &mut Random) -> [u8; 1] {
    [SPECIAL.get(random.below(SPECIAL.len())).copied().unwrap_or_default()]
}

fn flip(bytes: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (old, new) in bytes.iter_mut().skip(at).zip(new) {
        *old = *new;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}
