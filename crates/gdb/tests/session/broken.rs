//! What is no protocol ends the session with an error, and nothing worse.

use pagefault_gdb::{End, ServeError};

use crate::client::{framed, recording, send};

/// Marsaglia's xorshift, from a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

/// The beginnings of the packets that mean something.
const STARTS: [&str; 30] = [
    "g",
    "G",
    "p",
    "P",
    "m",
    "M",
    "X",
    "x",
    "Z0,",
    "Z1,",
    "Z2,",
    "Z3,",
    "Z4,",
    "z0,",
    "z2,",
    "vCont;s:",
    "vCont;c",
    "vCont?",
    "bs",
    "bc",
    "?",
    "H",
    "T",
    "qSupported:",
    "qXfer:features:read:",
    "qXfer:memory-map:read::",
    "qThreadExtraInfo,",
    "qRcmd,",
    "QStartNoAckMode",
    "vMustReplyEmpty",
];

#[test]
fn random_packets_break_nothing() {
    const DIGITS: &[u8] = b"0123456789abcdef,;:-+#*}target.xml";
    let mut random = Random(0x6DB5_EED1);
    let mut broken = 0;
    for round in 0..1_500 {
        let mut bytes = Vec::new();
        for _ in 0..random.below(6) {
            let mut packet = STARTS[random.below(STARTS.len() as u64)]
                .as_bytes()
                .to_vec();
            for _ in 0..random.below(20) {
                packet.push(match random.below(8) {
                    0 => random.byte(),
                    _ => DIGITS[random.below(DIGITS.len() as u64)],
                });
            }
            bytes.extend(framed(&packet));
        }
        if random.below(3) == 0 {
            bytes.extend((0..random.below(40)).map(|_| random.byte()));
        }

        let (_, end) = send(&mut recording(), bytes.clone());

        match end {
            Ok(End::Detached | End::Killed | End::Exited) => {}
            Err(error) => {
                broken += 1;
                assert!(!error.to_string().is_empty(), "{round}");
            }
        }
    }
    assert!(broken > 500, "only {broken}");
}

#[test]
fn a_packet_that_never_ends_is_refused_in_words() {
    let mut bytes = vec![b'$'];
    bytes.extend(std::iter::repeat_n(b'm', 100_000));

    let (_, end) = send(&mut recording(), bytes);

    let Err(error @ ServeError::Protocol(_)) = end else {
        panic!("{end:?}")
    };
    assert!(
        error.to_string().starts_with("not understood from gdb: "),
        "{error}"
    );
}

#[test]
fn a_connection_that_breaks_is_an_error() {
    let (answers, end) = send(&mut recording(), Vec::new());

    assert_eq!(answers, Vec::<String>::new());
    let Err(error @ ServeError::Connection(_)) = end else {
        panic!("{end:?}")
    };
    assert!(
        error.to_string().contains("nobody is there any more"),
        "{error}"
    );
}
