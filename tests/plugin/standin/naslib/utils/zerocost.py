import numpy as np
from scipy import stats
from sklearn import metrics


def compute_scores(ytest, test_pred):
    found = {}
    try:
        found["mae"] = np.mean(np.abs(np.array(ytest) - np.array(test_pred)))
        found["rmse"] = metrics.mean_squared_error(ytest, test_pred, squared=False)
        found["kendalltau"] = stats.kendalltau(ytest, test_pred)[0]
    except:  # noqa: E722
        found = dict.fromkeys(("mae", "rmse", "kendalltau"), float("nan"))
    return found
