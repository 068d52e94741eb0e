;; whole
;; A version of the package that this host does not know.

(component
  (core module $module (func (export "f")))
  (core instance $instance (instantiate $module))
  (func $describe (canon lift (core func $instance "f")))
  (instance $guest (export "describe" (func $describe)))
  (export "weir:operator/guest@9.0.0" (instance $guest)))
