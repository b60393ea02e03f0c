//! Why bytes are not AMQP.

/// Why bytes are not AMQP 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WireError {
    /// They end too early.
    #[error("the bytes end in the middle of a value")]
    Truncated,
    /// A constructor that the specification does not have.
    #[error("{0:#04x} is no constructor of a type")]
    Constructor(u8),
    /// A text that is not UTF-8, or a character that is none.
    #[error("a text is not UTF-8")]
    Text,
    /// A value of another type than the field has.
    #[error("{0} has a wrong type or no value")]
    Field(&'static str),
    /// Descriptors of descriptors, too deep to be meant.
    #[error("described types are nested too deeply")]
    Depth,
    /// A described type that has no place here.
    #[error("{0:#x} is not expected here")]
    Descriptor(u64),
    /// A frame head that makes no sense.
    #[error("the head of a frame makes no sense")]
    Head,
    /// A frame larger than allowed.
    #[error("a frame has {bytes} bytes, at most {max} are allowed")]
    FrameSize {
        /// Its size.
        bytes: usize,
        /// The most allowed.
        max: usize,
    },
}
