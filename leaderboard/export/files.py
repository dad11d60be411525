"""Names of the files in the folder of an exported model."""

MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE = "model.onnx", "contract.json", "golden.npz"
CARD_FILE, NOTICE_FILE, ENTRY_COPY = "MODEL_CARD.md", "NOTICE.txt", "entry.json"
CONTRACT_VERSION = 1
