//! Types with their lifetimes replaced.

use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, Type, TypeReference};

struct Replace(Lifetime);

impl VisitMut for Replace {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            *lifetime = self.0.clone();
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.get_or_insert_with(|| self.0.clone());
        visit_mut::visit_type_reference_mut(self, reference);
    }
}

/// The type with every lifetime made `'static`.
pub fn of_static(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Replace(Lifetime::new("'static", proc_macro2::Span::call_site())).visit_type_mut(&mut ty);
    ty
}
