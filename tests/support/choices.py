"""Everything that can be chosen for a training, each as the overrides that choose it."""

_CONV = "{type:conv,filters:4,padding:same}"
_END = "{type:flatten}"


def _blocks(*blocks: str) -> tuple[str, ...]:
    return (f"model.blocks=[{','.join(blocks)}]", "model.dropout=null", "model.kernel_size=3")


BLOCKS = {
    "strides": _blocks("{type:conv,filters:4,strides:2}", _END),
    "dilation": _blocks("{type:conv,filters:4,dilation:2}", _END),
    "regularised": _blocks("{type:conv,filters:4,strides:2,l2:0.01}", _END),
    "own initializer": _blocks("{type:conv,filters:4,kernel_initializer:he_normal}", _END),
    "separable_conv": _blocks(_CONV, "{type:separable_conv,filters:5,strides:2}", _END),
    "depthwise_conv": _blocks(_CONV, "{type:depthwise_conv,strides:2}", _END),
    "average_pool": _blocks(_CONV, "{type:average_pool}", _END),
    "global_pool, average": _blocks(_CONV, "{type:global_pool}"),
    "global_pool, max": _blocks(_CONV, "{type:global_pool,of:max}"),
    "batch_norm": _blocks(_CONV, "{type:batch_norm}", "{type:activation}", _END),
    "layer_norm": _blocks(_CONV, "{type:layer_norm}", _END),
    "group_norm": _blocks(_CONV, "{type:group_norm,groups:2}", _END),
    "activation": _blocks(_CONV, "{type:activation,activation:gelu}", _END),
    "squeeze_excite": _blocks(_CONV, "{type:squeeze_excite,ratio:2}", _END),
    "residual": _blocks(_CONV, f"{{type:residual,blocks:[{_CONV}]}}", _END),
    "residual, projected": _blocks(
        _CONV, "{type:residual,blocks:[{type:conv,filters:6,padding:same,strides:2}]}", _END
    ),
}
_SMALL = ("model=mlp", "model.blocks=[{type:flatten}]", "model.dropout=null")
_DROPOUT = ("model=mlp", "model.blocks=[{type:flatten},{type:dropout,rate:0.2}]")
TRAININGS = {
    **{
        f"schedule={name}": (*_SMALL, f"schedule={name}")
        for name in ("cosine", "warmup_cosine", "exponential", "steps")
    },
    **{
        f"augmentation={name}": (*_SMALL, f"augmentation={name}")
        for name in ("shift", "shift_rotate_zoom", "shift_shear", "flip", "flip_shift")
    },
    "label smoothing": (*_SMALL, "training.label_smoothing=0.1"),
    "average of weights": (*_DROPOUT, "training.ema=0.9"),
    "class weights": (*_SMALL, "training.class_weight=balanced"),
    "best weights": (*_SMALL, "training.keep=best", "protocol=clean", "training.epochs=4"),
    "early stopping": (*_SMALL, "training.patience=1", "protocol=clean", "training.epochs=9"),
    "one order": (*_SMALL, "training.order=once"),
    "weight decay": (*_SMALL, "optimizer=adamw", "++optimizer.weight_decay=0.01"),
    "gradient clipping": (*_SMALL, "+optimizer.clipnorm=0.1"),
    "all of it": (
        *_DROPOUT,
        "schedule=cosine",
        "augmentation=shift_rotate_zoom",
        "training.label_smoothing=0.1",
        "training.ema=0.9",
        "training.class_weight=balanced",
    ),
}
OWN = """import keras


def functional(input_shape, classes, data_format):
    options = {"padding": "same", "data_format": data_format}
    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, activation="relu", **options)(image)
    x = keras.layers.Add()([x, keras.layers.Conv2D(4, 3, **options)(x)])
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))


@keras.saving.register_keras_serializable()
class Subclassed(keras.Model):
    def __init__(self, input_shape, classes, units=8):
        super().__init__()
        self.layers_in_order = [
            keras.layers.Flatten(),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]

    def call(self, images):
        for layer in self.layers_in_order:
            images = layer(images)
        return images
"""
_ONE_OF_OWN = ("model=mlp", "~model.blocks", "~model.dropout", "~model.kernel_initializer")
OWN_MODELS = {
    "own model, functional": (*_ONE_OF_OWN, "+model._target_=own.functional"),
    "own model, subclassed": (*_ONE_OF_OWN, "+model._target_=own.Subclassed", "+model.units=6"),
}
CHOICES = BLOCKS | TRAININGS | OWN_MODELS
