//! Counts the functions of a component before anything is compiled.

/// Components stand in components at most so deep.
pub const DEPTH_MAX: usize = 1_000;

/// Functions with a body in all modules of a component; nothing if components stand in it deeper
/// than [`DEPTH_MAX`]. Bytes that make no sense end the count: the engine says what is wrong.
pub fn functions(component: &[u8]) -> Option<u64> {
    let mut functions = 0_u64;
    // What is left to be read, the innermost last: as many as are nested, however many there are.
    let mut open = vec![opened(component)];
    while let Some((is_component, rest)) = open.last_mut() {
        let Some((id, content, after)) = section(rest) else {
            open.pop();
            continue;
        };
        *rest = after;
        match (*is_component, id) {
            // A module, or a component, inside of a component.
            (true, 1 | 4) if open.len() > DEPTH_MAX => return None,
            (true, 1 | 4) => open.push(opened(content)),
            // The functions of a module, of which the number comes first.
            (false, 3) => {
                let count = number(content).map_or(0, |(count, _)| u64::from(count));
                functions = functions.saturating_add(count);
            }
            _ => {}
        }
    }
    Some(functions)
}

/// Whether it is a component, and its sections.
fn opened(binary: &[u8]) -> (bool, &[u8]) {
    match binary.split_at_checked(8) {
        Some((header, sections)) => (header[6] == 1, sections),
        None => (false, &[]),
    }
}

/// The first section: its kind, its content, and what is behind it.
fn section(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (id, bytes) = bytes.split_first()?;
    let (length, bytes) = number(bytes)?;
    let (content, after) = bytes.split_at_checked(length as usize)?;
    Some((*id, content, after))
}

/// A number in LEB128, of 32 bits.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0_u32;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        value |= u32::from(byte & 0x7f).checked_shl(7 * place as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];
    const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn with(header: [u8; 8], sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = header.to_vec();
        for (id, content) in sections {
            bytes.push(*id);
            bytes.push(u8::try_from(content.len()).unwrap());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    #[test]
    fn functions_of_all_modules_are_counted() {
        let two = with(MODULE, &[(1, &[0]), (3, &[2, 0, 0])]);
        let three = with(MODULE, &[(3, &[3, 0, 0, 0])]);
        let inner = with(COMPONENT, &[(1, &three)]);
        assert_eq!(functions(&with(COMPONENT, &[(1, &two), (4, &inner), (2, &[0])])), Some(5));
        assert_eq!(functions(&MODULE), Some(0));
        assert_eq!(functions(&[]), Some(0));
    }

    /// An empty component in so many others.
    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = COMPONENT.to_vec();
        for _ in 0..depth {
            // The length is written with five bytes, whatever it is.
            let length = bytes.len();
            let part = |place: usize| (length >> (7 * place)) as u8 & 0x7f;
            let header = [4, part(0) | 0x80, part(1) | 0x80, part(2) | 0x80, part(3) | 0x80, 0];
            bytes = [&COMPONENT[..], &header, &bytes].concat();
        }
        bytes
    }

    #[test]
    fn what_is_nested_too_deep_is_not_counted() {
        assert_eq!(functions(&nested(DEPTH_MAX)), Some(0));
        assert_eq!(functions(&nested(DEPTH_MAX + 1)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_counted_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            functions(&bytes);
            functions(&[&COMPONENT[..], &bytes].concat());
            functions(&[&MODULE[..], &bytes].concat());
        }
    }
}
