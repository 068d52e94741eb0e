//! Counts the functions of a component before anything is compiled.

/// Functions with a body in all modules of a component. Bytes that make no sense end the count:
/// the engine says what is wrong with them.
pub fn functions(component: &[u8]) -> u64 {
    let mut functions = 0_u64;
    // Components may stand in components, as deep as there are bytes.
    let mut pending = vec![component];
    while let Some(binary) = pending.pop() {
        let (Some(header), Some(mut rest)) = (binary.get(..8), binary.get(8..)) else { continue };
        let is_component = header[6] == 1;
        while let Some((id, content, after)) = section(rest) {
            match (is_component, id) {
                // A module, or a component, inside of a component.
                (true, 1 | 4) => pending.push(content),
                // The functions of a module, of which the number comes first.
                (false, 3) => {
                    let count = number(content).map_or(0, |(count, _)| u64::from(count));
                    functions = functions.saturating_add(count);
                }
                _ => {}
            }
            rest = after;
        }
    }
    functions
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
        assert_eq!(functions(&with(COMPONENT, &[(1, &two), (4, &inner), (2, &[0])])), 5);
        assert_eq!(functions(&MODULE), 0);
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
